"""One request and its answer, written piece by piece, so that an answer may go wrong anywhere."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import anyio
from attrs import define
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from mlo_emulators.server import connection

from .failures import Failure, bad_request
from .world import World

__all__ = ["ClientLeft", "Endpoint", "Exchange", "Handler"]


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


@define
class Exchange:
    """A request to the emulated cloud."""

    request: Request
    world: World
    _send: Send
    started: bool = False

    async def body(self) -> Any:
        """The request's JSON.

        Raises:
            Failure: 400, when it is none.
        """
        try:
            return json.loads(await self.request.body())
        except ValueError as error:
            raise bad_request(f"proto: syntax error: {error}") from error

    async def json(self, body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Answer with one JSON value."""
        encoded = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        await self.start(status, {"content-length": str(len(encoded))} | dict(headers or {}))
        await self.write(encoded, more=False)

    async def start(self, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send status and headers."""
        known = {"server": "ycalb", "content-type": "application/json", "x-server-trace-id": uuid.uuid4().hex}
        self.started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode()) for name, value in (known | dict(headers or {})).items()],
            }
        )

    async def write(self, piece: bytes, *, more: bool = True) -> None:
        """Send a piece of the body, in the sizes that the options ask for."""
        size = self.world.options.wire_chunk
        if size and more:
            for start in range(0, len(piece), size):
                await self._send({"type": "http.response.body", "body": piece[start : start + size], "more_body": True})
                await anyio.lowlevel.checkpoint()
        else:
            await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    async def end(self) -> None:
        """End the body as it should end."""
        await self.write(b"", more=False)

    async def sleep(self, seconds: float) -> None:
        """Let time pass while the client waits.

        Raises:
            ClientLeft: when it does not.
        """
        if not seconds:
            return
        with anyio.move_on_after(seconds):
            while (await self.request.receive())["type"] != "http.disconnect":
                pass
            raise ClientLeft

    def reset(self) -> None:
        """Break the connection."""
        if (open_connection := connection(self.request.scope)) is not None:
            open_connection.abort()

    def echoed_ids(self) -> dict[str, str]:
        """The ids that the cloud puts into an answer of its own models."""
        found = {"x-request-id": str(uuid.uuid4())}
        if client_id := self.request.headers.get("x-client-request-id"):
            found["x-client-request-id"] = client_id
        return found


Handler: TypeAlias = Callable[[Exchange], Awaitable[None]]


class Endpoint:
    """A handler as an ASGI application whose failures have the shape of its API.

    ``line`` writes a failure that comes when the answer has begun.
    """

    def __init__(
        self,
        world: World,
        handler: Handler,
        shape: Callable[[Failure], Mapping[str, Any]],
        line: Callable[[bytes], bytes] = lambda encoded: encoded + b"\n",
    ) -> None:
        self._world, self._handler, self._shape, self._line = world, handler, shape, line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        exchange = Exchange(Request(scope, receive), self._world, send)
        try:
            await self._handler(exchange)
        except ClientLeft:
            self._world.journal.count("generations abandoned")
        except Failure as failure:
            body = self._shape(failure)
            if exchange.started:
                await exchange.write(self._line(json.dumps(body, ensure_ascii=False).encode()))
                await exchange.end()
            else:
                await exchange.json(body, failure.status, exchange.echoed_ids())
