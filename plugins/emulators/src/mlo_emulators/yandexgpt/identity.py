"""Who may come in: API keys, IAM tokens, and the ways to get one."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import Any

from .exchange import Exchange
from .failures import Failure, bad_request
from .options import AuthorizedKey
from .world import World

__all__ = ["AUDIENCE", "admit", "exchange_token", "metadata_token", "revoke_token"]

AUDIENCE = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
_MAX_LIFE = 3600
_LEEWAY = 60


def admit(exchange: Exchange, *, key_as_bearer: bool = False) -> None:
    """Check the ``Authorization`` header. The OpenAI-compatible side also takes an API key as a bearer token.

    Raises:
        Failure: 401.
    """
    scheme, _, value = exchange.request.headers.get("authorization", "").partition(" ")
    keys = exchange.world.options.api_keys
    if scheme == "Api-Key":
        if value not in keys:
            raise Failure(401, "Unknown api key")
        return
    if scheme != "Bearer":
        raise Failure(401, "Authorization header is missing or malformed")
    if not (key_as_bearer and value in keys):
        exchange.world.admit(value)


async def exchange_token(exchange: Exchange) -> None:
    """An OAuth token or a signed JWT for an IAM token."""
    exchange.world.journal.count("iam exchanges")
    body = await exchange.body()
    await exchange.sleep(exchange.world.options.exchange_delay)
    if not isinstance(body, dict) or len(body) != 1:
        raise bad_request("exactly one of yandexPassportOauthToken and jwt must be set")
    token = exchange.world.issue(_subject(exchange.world, body))
    await exchange.json({"iamToken": token.value, "expiresAt": _rfc3339(token.expires_at)})


def _subject(world: World, body: dict[str, Any]) -> str:
    if oauth := body.get("yandexPassportOauthToken"):
        if oauth not in world.options.oauth_tokens:
            raise Failure(401, "OAuth token is invalid or expired")
        return f"user:{oauth}"
    if jwt := body.get("jwt"):
        return _account_of(str(jwt), world.options.authorized_keys)
    raise bad_request("exactly one of yandexPassportOauthToken and jwt must be set")


async def revoke_token(exchange: Exchange) -> None:
    """End a token's life."""
    body = await exchange.body()
    await exchange.json({"subjectId": exchange.world.revoke(str(body.get("iamToken", "")))})


async def metadata_token(exchange: Exchange) -> None:
    """What a virtual machine's metadata service gives to its service account."""
    if exchange.request.headers.get("metadata-flavor") != "Google":
        raise Failure(403, "Missing header Metadata-Flavor: Google")
    account = exchange.world.options.metadata_account
    if account is None:
        raise Failure(404, "no service account is linked to the instance")
    exchange.world.journal.count("metadata tokens")
    token = exchange.world.issue(account)
    left = int(token.expires_at - time.time())
    await exchange.json({"access_token": token.value, "expires_in": left, "token_type": "Bearer"})


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def _account_of(jwt: str, keys: tuple[AuthorizedKey, ...]) -> str:
    """The service account that signed ``jwt``."""
    try:
        head, claims, signature = jwt.split(".")
        header, payload = json.loads(_decode(head)), json.loads(_decode(claims))
        signed = _decode(signature)
    except ValueError as error:
        raise Failure(401, f"JWT is malformed: {error}") from error
    key = next((each for each in keys if each.id == header.get("kid")), None)
    if header.get("alg") != "PS256" or header.get("typ") != "JWT" or key is None:
        raise Failure(401, "JWT header is wrong: PS256 and the id of a known key are needed")
    _check_claims(payload, key)
    _check_signature(f"{head}.{claims}".encode(), signed, key)
    return key.service_account_id


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_claims(claims: dict[str, Any], key: AuthorizedKey) -> None:
    now = time.time()
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or not isinstance(expires, int):
        raise Failure(401, "JWT claims iat and exp must be integers")
    if claims.get("aud") != AUDIENCE or claims.get("iss") != key.service_account_id:
        raise Failure(401, "JWT claims iss or aud are wrong")
    if expires - issued > _MAX_LIFE or expires < now - _LEEWAY or issued > now + _LEEWAY:
        raise Failure(401, "JWT is expired, not valid yet, or valid for more than an hour")


def _check_signature(signed: bytes, signature: bytes, key: AuthorizedKey) -> None:
    # Imported here: only who gives authorised keys needs the library.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415

    public = serialization.load_pem_public_key(key.public_key.encode())
    if not isinstance(public, rsa.RSAPublicKey):
        raise Failure(401, "the authorised key is not an RSA key")
    scheme = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    try:
        public.verify(signature, signed, scheme, hashes.SHA256())
    except InvalidSignature as error:
        raise Failure(401, "JWT signature is wrong") from error
