"""Authorization keys: what people paste, and what is wrong with it.

A key is the base64 text of ``CLIENT_ID:CLIENT_SECRET``. No message here shows any part of it.
"""

from __future__ import annotations

import base64
import binascii
import re

from mlo.errors import ConfigError
from mlo.secret import Secret

__all__ = ["normalised"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_COPY = "copy the authorization key from the account's page once more, as it is"


def normalised(secret: Secret, path: str) -> str:
    """The key without what pasting brings along: white space, line breaks, a ``Basic`` in front.

    Raises:
        ConfigError: when it is no key; says what it seems to be instead.
    """
    text = "".join(secret.reveal().split())
    if text[:5].lower() == "basic":
        text = text[5:]
    if not text:
        raise ConfigError(path, "the authorization key is empty", hint="is the variable or the file filled?")
    if _UUID.fullmatch(text):
        raise ConfigError(path, "this is a client id or a client secret, not the authorization key", hint=_COPY)
    if text.count(":") == 1 and all(map(_UUID.fullmatch, text.split(":"))):
        raise ConfigError(path, "this is CLIENT_ID:CLIENT_SECRET in the clear", hint="encode it with base64 once")
    decoded = _decoded(text)
    if decoded is None:
        raise ConfigError(path, "the authorization key is not base64", hint=_COPY)
    if ":" in decoded:
        return text
    again = _decoded(decoded.strip())
    if again is not None and ":" in again:
        raise ConfigError(
            path, "the authorization key is encoded with base64 twice", hint="use it as the page shows it"
        )
    raise ConfigError(path, "the authorization key does not hold CLIENT_ID:CLIENT_SECRET", hint=_COPY)


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None
