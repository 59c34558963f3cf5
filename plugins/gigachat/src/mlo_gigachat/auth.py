"""Access tokens: fetched by key or by password, one per account in the whole process.

::

    normalised key ─► POST auth_url (Basic, RqUID, scope) ─► access_token, expires_at (ms or s) ─► Bearer
    user, password ─► POST base_url/token (Basic)         ─► tok, exp (s)                       ─► Bearer
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from mlo.api import AuthScheme, Credentials, Environment
from mlo.errors import AuthFailed, ProtocolViolated
from mlo_sdk.auth.static import basic_header
from mlo_sdk.auth.tokens import TokenSource, shared_cell
from mlo_sdk.http import HttpClient

from .config import OAuthConfig, PasswordConfig
from .errors import OAUTH_ERRORS, OAUTH_HINTS
from .keys import normalised
from .trust import effective_tls

__all__ = ["USER_AGENT", "expiry_seconds", "fetch_token", "oauth_client", "open_oauth", "open_password"]

USER_AGENT = "multi-llm-orchestrator gigachat"
_SECONDS_BELOW = 10**10  # as milliseconds that would be April 1970


def oauth_client(config: OAuthConfig, path: str) -> HttpClient:
    """A client of the token endpoint."""
    tls = effective_tls(config.tls, verify_ssl=config.verify_ssl)
    headers = {"user-agent": USER_AGENT, "accept": "application/json"}
    return HttpClient(
        config.auth_url,
        path=path,
        settings=config.http,
        tls=tls,
        errors=OAUTH_ERRORS,
        headers=headers,
        confidential=True,
    )


@asynccontextmanager
async def open_oauth(config: OAuthConfig, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    """The scheme ``gigachat-oauth``.

    Raises:
        ConfigError: for a key that is none.
    """
    key = normalised(config.key, f"{env.path}.key")
    client = oauth_client(config, env.path)

    async def fetch() -> Credentials:
        return await fetch_token(client, key, config.scope)

    cell = shared_cell("gigachat-oauth", config.auth_url, config.scope, key)
    async with client:
        yield TokenSource(fetch, cell=cell, refresh_before=config.refresh_before)


async def fetch_token(client: HttpClient, key: str, scope: str) -> Credentials:
    """A new token for ``key``.

    Raises:
        AuthFailed: when the server refuses; says what to do about the codes that are known.
    """
    headers = {
        "authorization": f"Basic {key}",
        "content-type": "application/x-www-form-urlencoded",
        "rquid": str(uuid.uuid4()),
    }
    try:
        reply = await client.request(
            "POST", "", content=urlencode({"scope": scope}).encode(), headers=headers, secrets=[key]
        )
    except AuthFailed as error:
        raise _explained(error, scope) from error
    return _credentials(reply.mapping(), "access_token", "expires_at")


def _explained(error: AuthFailed, scope: str) -> AuthFailed:
    hint = OAUTH_HINTS.get(error.code or "", "")
    message = f"no token for scope {scope}: {error.message}" + (f" ({hint})" if hint else "")
    return AuthFailed(message, status=error.status, code=error.code, request_id=error.request_id)


@asynccontextmanager
async def open_password(config: PasswordConfig, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    """The scheme ``gigachat-password``."""
    tls = effective_tls(config.tls, verify_ssl=config.verify_ssl)
    client = HttpClient(
        config.base_url, path=env.path, settings=config.http, tls=tls, errors=OAUTH_ERRORS, confidential=True
    )
    password = config.password.reveal()
    headers = {"authorization": basic_header(config.user, password), "user-agent": USER_AGENT}
    secrets = [password, headers["authorization"].removeprefix("Basic ")]

    async def fetch() -> Credentials:
        try:
            reply = await client.request("POST", "/token", headers=headers, secrets=secrets)
        except AuthFailed as error:
            message = f"the server took neither user nor password: {error.message}"
            raise AuthFailed(message, status=error.status, request_id=error.request_id) from error
        return _credentials(reply.mapping(), "tok", "exp")

    cell = shared_cell("gigachat-password", config.base_url, config.user, password)
    async with client:
        yield TokenSource(fetch, cell=cell, refresh_before=config.refresh_before)


def _credentials(answer: dict[str, object], token_field: str, expiry_field: str) -> Credentials:
    token, expiry = answer.get(token_field), answer.get(expiry_field)
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        fields = ", ".join(sorted(answer)) or "nothing"
        raise ProtocolViolated(f"the token endpoint sent no usable {token_field}, only {fields}")
    known = isinstance(expiry, int | float) and not isinstance(expiry, bool)
    expires_at = expiry_seconds(expiry) if known and isinstance(expiry, int | float) else None
    return Credentials(headers={"authorization": f"Bearer {token}"}, expires_at=expires_at)


def expiry_seconds(value: float) -> float:
    """Unix time in seconds of an expiry that may be in milliseconds: documents and servers use both."""
    return float(value) if value < _SECONDS_BELOW else value / 1000
