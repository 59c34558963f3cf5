"""The outermost frame of the admin API: bodies are small and come soon, and no answer is kept by anybody."""

from __future__ import annotations

import anyio

from mlo_gateway.app.application import AsgiApp
from mlo_gateway.app.exchange import Receive, Scope, Send
from mlo_gateway.contracts import GatewayError

from .faults import response_to

__all__ = ["Bounded"]

_MOST = 256 * 1024
_PATIENCE = 15.0
_KEPT_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class Bounded:
    """An ASGI application that gives ``app`` whole bodies of up to 256 KiB."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_unkept(message: Scope) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_KEPT_HEADERS]}
            await send(message)

        try:
            body = await _body(receive)
        except GatewayError as error:
            await response_to(error, {"connection": "close"})(scope, receive, send_unkept)
            return
        if body is not None:
            await self._app(scope, _once(body, receive), send_unkept)


async def _body(receive: Receive) -> bytes | None:
    """The body; ``None`` when the client has left."""
    body = bytearray()
    with anyio.move_on_after(_PATIENCE):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > _MOST:
                text = f"The body is longer than {_MOST} bytes."
                raise GatewayError(413, "body_too_large", "invalid_request_error", text)
            if not message.get("more_body", False):
                return bytes(body)
    raise GatewayError(408, "body_timeout", "invalid_request_error", "The body did not arrive in time.")


def _once(body: bytes, receive: Receive) -> Receive:
    given = False

    async def receive_body() -> Scope:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body
