"""Authorised keys of service accounts: reading the file, and signing the JWT that IAM exchanges for a token."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mlo.errors import ConfigError

__all__ = ["AUDIENCE", "AuthorizedKey", "parse_key", "read_key_file", "signed_jwt"]

AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
_LIFE = 3600  # seconds: the most that IAM accepts
_BEGIN = "-----BEGIN"
_HINT = "make one with: yc iam key create --service-account-name NAME --output key.json"


@frozen(kw_only=True)
class AuthorizedKey:
    """A service account's key pair, the private half of it loaded."""

    id: str
    service_account_id: str
    private_key: rsa.RSAPrivateKey = field(repr=False)


def read_key_file(file: str, path: str) -> AuthorizedKey:
    """The key in ``file``; ``path`` is the place in the configuration.

    Raises:
        ConfigError: when the file cannot be read or is no key.
    """
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(path, f"cannot read {file}: {error.strerror or type(error).__name__}", hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"{file} is not text", hint=_HINT) from error
    return parse_key(text, path)


def parse_key(text: str, path: str) -> AuthorizedKey:
    """The key in the JSON text of a key file. A comment line before the private key is passed over.

    Raises:
        ConfigError: when it is no key.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        reason = "a bare private key" if _BEGIN in text else "not JSON"
        raise ConfigError(path, f"is {reason}, an authorised key is a JSON file", hint=_HINT) from error
    if not isinstance(found, dict):
        raise ConfigError(path, "is not a JSON object, an authorised key is one", hint=_HINT)
    missing = [name for name in ("id", "service_account_id", "private_key") if not isinstance(found.get(name), str)]
    if missing:
        raise ConfigError(path, f"is JSON, but without {', '.join(missing)}: not an authorised key", hint=_HINT)
    return AuthorizedKey(
        id=found["id"],
        service_account_id=found["service_account_id"],
        private_key=_private_key(found["private_key"], path),
    )


def _private_key(pem: str, path: str) -> rsa.RSAPrivateKey:
    begin = pem.find(_BEGIN)
    try:
        key = serialization.load_pem_private_key(pem[max(begin, 0) :].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # never chained: the message may quote the key
        raise ConfigError(path, f"private_key is no PEM key ({type(error).__name__})", hint=_HINT) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigError(path, "private_key is not an RSA key, which authorised keys are", hint=_HINT)
    return key


def signed_jwt(key: AuthorizedKey, now: int) -> str:
    """A JWT for IAM, issued at ``now`` (Unix time, seconds): PS256 with a salt as long as the hash."""
    head = {"typ": "JWT", "alg": "PS256", "kid": key.id}
    claims = {"iss": key.service_account_id, "aud": AUDIENCE, "iat": now, "exp": now + _LIFE}
    signed = f"{_encoded(head)}.{_encoded(claims)}"
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=hashes.SHA256.digest_size)
    signature = key.private_key.sign(signed.encode(), scheme, hashes.SHA256())
    return f"{signed}.{_base64(signature)}"


def _encoded(part: Mapping[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
