"""The client credentials grant."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlencode

from mlo.api import AuthScheme, Credentials, Environment
from mlo.errors import AuthFailed, ProtocolViolated
from mlo_sdk.errors import ErrorTable
from mlo_sdk.http import HttpClient

from .config import OAuth2Config
from .static import basic_header, header_text
from .tokens import TokenSource, shared_cell

__all__ = ["TOKEN_ERRORS", "bearer_credentials", "open_oauth2"]

TOKEN_ERRORS = ErrorTable(by_status=dict.fromkeys((400, 403, 404, 405, 422), AuthFailed))
"""The error table of a token endpoint: whatever it refuses, credentials cannot be had."""


@asynccontextmanager
async def open_oauth2(config: OAuth2Config, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    """A scheme that gets bearer tokens from ``config.token_url``; one token per client in the whole process."""
    secret = header_text(config.client_secret, f"{env.path}.client_secret")
    client = HttpClient(
        config.token_url, path=env.path, settings=config.http, tls=config.tls, errors=TOKEN_ERRORS, confidential=True
    )
    form = {"grant_type": "client_credentials", **config.extra}
    if config.scope:
        form["scope"] = config.scope
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if config.client_auth == "basic":  # RFC 6749, 2.3.1: both parts are form-encoded first
        headers["authorization"] = basic_header(quote(config.client_id, safe=""), quote(secret, safe=""))
    else:
        form |= {"client_id": config.client_id, "client_secret": secret}
    body = urlencode(form).encode()

    async def fetch() -> Credentials:
        asked_at = time.time()
        reply = await client.request("POST", "", content=body, headers=headers, secrets=[secret])
        return bearer_credentials(reply.mapping(), asked_at)

    cell = shared_cell("oauth2-client-credentials", config.token_url, config.client_id, secret, urlencode(form))
    async with client:
        yield TokenSource(fetch, cell=cell, refresh_before=config.refresh_before)


def bearer_credentials(answer: dict[str, object], asked_at: float) -> Credentials:
    """Credentials out of the answer of a token endpoint (RFC 6749, 5.1); its times are relative to ``asked_at``.

    Raises:
        ProtocolViolated: when there is no token in it.
    """
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise ProtocolViolated(
            f"the token endpoint sent no access_token, only {', '.join(sorted(answer)) or 'nothing'}"
        )
    lifetime = answer.get("expires_in")
    try:
        expires_at = None if lifetime is None else asked_at + float(str(lifetime))
    except ValueError:
        expires_at = None
    return Credentials(headers={"authorization": f"Bearer {token}"}, expires_at=expires_at)
