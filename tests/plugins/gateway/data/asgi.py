"""Talks ASGI to the application without a network, on any event loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from attrs import define, field

from mlo import Router
from mlo_gateway.anonymous import Anonymous, NoLimits
from mlo_gateway.app.application import AsgiApp, GatewayApp, create_app
from mlo_gateway.config import DataConfig, GatewayConfig
from mlo_gateway.contracts import Authenticator, Gateway, Limiter

__all__ = ["Client", "Reply", "ask", "opened"]

JSON = {"content-type": "application/json"}


@define
class Reply:
    """What came back. ``pieces`` are the parts of the body, ``complete`` says whether the last one was the end."""

    status: int = 0
    headers: dict[str, str] = field(factory=dict)
    pieces: list[bytes] = field(factory=list)
    complete: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    def json(self) -> Any:
        return json.loads(self.body)

    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json()["error"]
        return found

    def events(self) -> list[Any]:
        """The data of all server-sent events; ``[DONE]`` as text."""
        frames = [frame for frame in self.body.decode().split("\n\n") if frame]
        texts = [line[6:] for frame in frames for line in frame.split("\n") if line.startswith("data: ")]
        return [text if text == "[DONE]" else json.loads(text) for text in texts]

    def text(self) -> str:
        """What a streamed chat completion says."""
        chunks = [event for event in self.events() if event != "[DONE]" and "choices" in event]
        return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


@define
class Client:
    """One connection's worth of a client. ``reads`` is called for every piece, and may wait or leave."""

    app: AsgiApp
    left: anyio.Event = field(factory=anyio.Event)

    def leave(self) -> None:
        self.left.set()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Sequence[bytes] = (),
        headers: Mapping[str, str] | None = None,
        reads: Callable[[bytes], Any] | None = None,
        silent_body: bool = False,
    ) -> Reply:
        """Send a request in pieces, and gather the answer. With ``silent_body`` its end never arrives."""
        reply, pieces, over = Reply(), list(body or [b""]), anyio.Event()

        async def receive() -> dict[str, Any]:
            if pieces:
                piece = pieces.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(pieces) or silent_body}
            async with anyio.create_task_group() as tasks:
                for event in (over, self.left):
                    tasks.start_soon(_when, event, tasks.cancel_scope.cancel)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            await anyio.lowlevel.checkpoint()
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
                return
            if message["body"]:
                reply.pieces.append(message["body"])
                if reads is not None and (waiting := reads(message["body"])) is not None:
                    await waiting
            if not message["more_body"]:
                reply.complete = True
                over.set()

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
        }
        try:
            await self.app(scope, receive, send)
        finally:
            over.set()
        return reply


async def _when(event: anyio.Event, then: Callable[[], None]) -> None:
    await event.wait()
    then()


async def ask(app: AsgiApp, path: str, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """POST a JSON document."""
    body = json.dumps(document, ensure_ascii=False).encode()
    return await Client(app).request("POST", path, body=[body], headers={**JSON, **(headers or {})})


@asynccontextmanager
async def opened(
    router: Router,
    *,
    data: DataConfig | None = None,
    aliases: Mapping[str, str] | None = None,
    authenticator: Authenticator | None = None,
    limiter: Limiter | None = None,
    control: AsgiApp | None = None,
) -> AsyncIterator[GatewayApp]:
    """The application over an open router, with its watch running."""
    config = GatewayConfig(auth="off", aliases=aliases or {}, data=data or DataConfig())
    gateway = Gateway(
        router=router,
        authenticator=authenticator or Anonymous(),
        limiter=limiter or NoLimits(),
        config=config,
        clock=lambda: 1_800_000_000.0,
    )
    app = create_app(gateway, control)
    async with anyio.create_task_group() as tasks:
        await tasks.start(app.run)
        yield app
        tasks.cancel_scope.cancel()
