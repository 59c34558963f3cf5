"""The form of a virtual key: ``mlo-``, random letters and digits, and a checksum of them.

Only the SHA-256 of a key is ever stored. A fast hash is enough where slow ones are for passwords: nobody guesses 214
random bits. By the checksum most of what was mistyped or made up is refused without asking the database, and scanners
find keys that were published by mistake.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

from attrs import field, frozen

__all__ = ["NewToken", "bearer_in", "digest_of", "is_well_formed", "new_id", "new_token"]

_MARK = "mlo-"
_ALPHABET = string.digits + string.ascii_letters
_RANDOM = 36
_CHECK = 6  # 62**6 holds any CRC-32
_SHOWN = 8
_FORM = re.compile(rb"mlo-([0-9A-Za-z]{%d})([0-9A-Za-z]{%d})" % (_RANDOM, _CHECK))
_ID_ALPHABET = string.digits + string.ascii_lowercase  # one case: databases sort it the same in every locale
_ID_TIME, _ID_RANDOM = 9, 11


@frozen(kw_only=True)
class NewToken:
    """A key that was just made: the only time that its text is known.

    ``prefix`` is what people know it by afterwards; the rest of it still holds 166 random bits.
    """

    text: str = field(repr=False)
    prefix: str
    digest: bytes = field(repr=False)


def new_token() -> NewToken:
    """A key nobody has had before."""
    body = _random(_RANDOM)
    text = f"{_MARK}{body}{_checksum(body.encode()).decode()}"
    return NewToken(text=text, prefix=text[: len(_MARK) + _SHOWN], digest=digest_of(text.encode()))


def new_id(mark: str, now: int) -> str:
    """An identifier such as ``key-0ljf…``: unique, no secret, and later ones (``now``: microseconds) sort later."""
    tail = "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_RANDOM))
    return f"{mark}-{_in_digits(now // 1000, _ID_ALPHABET, _ID_TIME)}{tail}"


def digest_of(token: bytes) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(token).digest()


def is_well_formed(token: bytes) -> bool:
    """Whether the bytes have the form of a key, checksum included."""
    found = _FORM.fullmatch(token)
    return found is not None and found[2] == _checksum(found[1])


def bearer_in(authorization: bytes) -> bytes | None:
    """The token of an ``Authorization: Bearer …`` header."""
    scheme, _, token = authorization.partition(b" ")
    return token.strip(b" \t") if scheme.lower() == b"bearer" else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: bytes) -> bytes:
    return _in_digits(zlib.crc32(body), _ALPHABET, _CHECK).encode()


def _in_digits(number: int, alphabet: str, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(alphabet))
        digits.append(alphabet[digit])
    return "".join(reversed(digits))
