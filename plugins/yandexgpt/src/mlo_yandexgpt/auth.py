"""The auth schemes: API keys, and IAM tokens from four sources.

::

    token ──────────────────────────────────────────────────────────► Bearer, as long as it lives
    oauth_token ── POST /iam/v1/tokens ─┐
    key_file ── JWT (PS256) ── POST … ──┼─► TokenSource: one exchange for all, again each hour or after a 401
    metadata ── GET metadata service ───┘
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from attrs import evolve

from mlo.api import AuthScheme, Credentials, Environment
from mlo.errors import AuthFailed, ConfigError, ProtocolViolated, TransportFailed
from mlo_sdk.auth import TokenSource, shared_cell
from mlo_sdk.auth.static import StaticAuth
from mlo_sdk.auth.tokens import Fetch
from mlo_sdk.http import HttpClient
from mlo_sdk.settings import Timeouts

from .config import YandexApiKeyConfig, YandexIamConfig
from .errors import ERRORS
from .keys import AuthorizedKey, parse_key, read_key_file, signed_jwt
from .secrets import expect

__all__ = ["open_api_key", "open_iam"]

_IAM_ERRORS = ERRORS.extended(by_status=dict.fromkeys((400, 403, 404), AuthFailed))
_METADATA_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_METADATA_TIMEOUTS = Timeouts(connect=1.0, first_byte=5.0, idle=5.0)  # it is next door, or not there at all


@asynccontextmanager
async def open_api_key(config: YandexApiKeyConfig, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    """``Authorization: Api-Key KEY``.

    Raises:
        ConfigError: when the key is something else.
    """
    key = expect("api-key", config.key.reveal(), f"{env.path}.key")
    yield StaticAuth({"authorization": f"Api-Key {key}"})


@asynccontextmanager
async def open_iam(config: YandexIamConfig, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    """``Authorization: Bearer IAM-TOKEN``.

    Raises:
        ConfigError: for no source or several, and for a credential of another kind.
    """
    source = _source(config, env.path)
    if source == "token" and config.token is not None:
        token = expect("iam-token", config.token.reveal(), f"{env.path}.token")
        yield StaticAuth({"authorization": f"Bearer {token}"})
        return
    async with _client(config, env.path, metadata=source == "metadata") as client:
        fetch, identity = _fetch(config, source, env.path, client)
        cell = shared_cell("yandex-iam", client.base_url, source, identity)
        yield TokenSource(fetch, cell=cell, refresh_after=config.refresh_after)


def _source(config: YandexIamConfig, path: str) -> str:
    given = [name for name in ("token", "oauth_token", "key_file", "key") if getattr(config, name) is not None]
    given += ["metadata"] if config.metadata else []
    if len(given) == 1:
        return given[0]
    found = "none is given" if not given else f"{' and '.join(given)} are given"
    raise ConfigError(path, f"exactly one of token, oauth_token, key_file, key and metadata is needed: {found}")


def _client(config: YandexIamConfig, path: str, *, metadata: bool) -> HttpClient:
    if not metadata:
        return HttpClient(
            config.iam_url, path=path, settings=config.http, tls=config.tls, errors=_IAM_ERRORS, confidential=True
        )
    settings = evolve(config.http, timeouts=_METADATA_TIMEOUTS, proxy=None, trust_env=False)
    return HttpClient(config.metadata_url, path=path, settings=settings, errors=_IAM_ERRORS, confidential=True)


def _fetch(config: YandexIamConfig, source: str, path: str, client: HttpClient) -> tuple[Fetch, str]:
    """How to get a token, and whose it is."""
    if source == "metadata":
        return _from_metadata(client), ""
    if config.oauth_token is not None:
        oauth = expect("oauth-token", config.oauth_token.reveal(), f"{path}.oauth_token")
        return _from_oauth(client, oauth), oauth
    key = _key(config, path)
    return _from_key(client, key), f"{key.service_account_id}/{key.id}"


def _key(config: YandexIamConfig, path: str) -> AuthorizedKey:
    if config.key_file is not None:
        return read_key_file(config.key_file, f"{path}.key_file")
    text = config.key.reveal() if config.key is not None else ""
    return parse_key(expect("authorized-key", text, f"{path}.key"), f"{path}.key")


def _from_oauth(client: HttpClient, token: str) -> Fetch:
    async def fetch() -> Credentials:
        return await _exchanged(client, {"yandexPassportOauthToken": token})

    return fetch


def _from_key(client: HttpClient, key: AuthorizedKey) -> Fetch:
    async def fetch() -> Credentials:
        return await _exchanged(client, {"jwt": signed_jwt(key, int(time.time()))})

    return fetch


async def _exchanged(client: HttpClient, identity: dict[str, str]) -> Credentials:
    reply = await client.request("POST", "/iam/v1/tokens", json=identity, secrets=identity.values())
    answer = reply.mapping()
    return _bearer(answer.get("iamToken"), _unix(answer.get("expiresAt")))


def _from_metadata(client: HttpClient) -> Fetch:
    async def fetch() -> Credentials:
        asked_at = time.time()
        try:
            reply = await client.request("GET", _METADATA_PATH, headers={"metadata-flavor": "Google"})
        except TransportFailed as error:
            raise TransportFailed(
                "the metadata service does not answer: metadata = true works on a virtual machine of the cloud that "
                "has a service account"
            ) from error
        answer = reply.mapping()
        left = answer.get("expires_in")
        expires_at = asked_at + float(left) if isinstance(left, int | float) else None
        return _bearer(answer.get("access_token"), expires_at)

    return fetch


def _bearer(token: object, expires_at: float | None) -> Credentials:
    if not isinstance(token, str) or not token:
        raise ProtocolViolated("there is no token in the answer of the token service")
    return Credentials(headers={"authorization": f"Bearer {token}"}, expires_at=expires_at)


def _unix(moment: object) -> float | None:
    """RFC 3339 as Unix time; nonsense counts as unsaid: the hourly renewal does not depend on it."""
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return None
