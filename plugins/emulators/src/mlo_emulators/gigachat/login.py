"""The endpoints that give out tokens."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .failures import OAuthFailure
from .state import Emulator

__all__ = ["oauth", "password"]


async def oauth(request: Request) -> Response:
    """``POST /api/v2/oauth``: a token for an authorization key."""
    emulator: Emulator = request.app.state.emulator
    options = emulator.options
    emulator.journal.count("oauth requests")
    if (delay := emulator.delay("oauth_delay")) > 0:
        await anyio.sleep(delay)
    if options.oauth_down or emulator.next("oauth requests") <= options.oauth_fail_first:
        raise OAuthFailure(options.oauth_status, 500, "Internal Server Error")
    if not request.headers.get("rquid"):
        raise OAuthFailure(400, 2, "RqUID header is missing or invalid")
    form = _form(await request.body())
    issued = emulator.accounts.grant(request.headers.get("authorization", ""), form.get("scope", ""), options)
    unit = 1000 if options.expires_in == "ms" else 1
    return JSONResponse({"access_token": issued.token, "expires_at": int(issued.expires_at * unit)})


def _form(body: bytes) -> Mapping[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace")))


async def password(request: Request) -> Response:
    """``POST /token``: a token for user and password."""
    emulator: Emulator = request.app.state.emulator
    emulator.journal.count("password logins")
    issued = emulator.accounts.login(request.headers.get("authorization", ""), emulator.options)
    return JSONResponse({"tok": issued.token, "exp": int(issued.expires_at)})
