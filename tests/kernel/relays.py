"""Providers that pass bytes on, scripted, and requests for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
from attrs import define, field

from mlo import ChatRequest, Usage
from mlo.api import CallContext
from mlo.models import Capability
from mlo.relay import Relayed, RelayRequest, RelaySummary
from mlo.responses import FinishReason
from tests.kernel.scripted import Scripted

HANG = object()
"""In a script: nothing more comes."""
USAGE = Usage(prompt_tokens=3, completion_tokens=5)
SUMMARY = RelaySummary(usage=USAGE, finish_reason=FinishReason.STOP, model="m-1", request_id="r-1", characters=7)


@define(eq=False)
class Source:
    """Gives its pieces; an exception among them is raised."""

    pieces: list[object]
    is_bounded: bool = False
    deadline: float | None = None
    content_type: str = "text/event-stream"
    closed: int = 0

    async def receive(self) -> bytes:
        await anyio.sleep(0)
        piece = self.pieces.pop(0) if self.pieces else b""
        if isinstance(piece, Exception):
            raise piece
        if piece is HANG:
            with anyio.CancelScope(deadline=(self.deadline if self.is_bounded else None) or float("inf")):
                await anyio.sleep_forever()
            raise TimeoutError
        assert isinstance(piece, bytes)
        return piece

    def summary(self) -> RelaySummary:
        return SUMMARY if not self.pieces else RelaySummary(model="m-1")

    async def aclose(self) -> None:
        self.closed += 1


@define(eq=False)
class Relaying(Scripted):
    """A scripted provider that also relays: each script is one attempt's pieces, the last one for ever."""

    scripts: Sequence[Sequence[object]] = ((b"one ", b"two"),)
    wires: frozenset[str] = frozenset({"test.chat"})
    is_bounded: bool = False
    sources: list[Source] = field(factory=list)
    asked: list[tuple[RelayRequest, str | None]] = field(factory=list)

    def relays(self, request: RelayRequest, /) -> bool:
        return request.wire in self.wires

    def _script(self, request: RelayRequest, model: str | None) -> list[object]:
        script = self.scripts[min(len(self.asked), len(self.scripts) - 1)]
        self.asked.append((request, model))
        return list(script)

    async def relay(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Relayed:
        source = Source(self._script(request, model))
        self.contexts.append(ctx)
        body = b""
        while piece := await source.receive():
            body += piece
        return Relayed(body=body, content_type="application/json", summary=SUMMARY)

    async def relay_stream(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Source:
        source = Source(self._script(request, model), is_bounded=self.is_bounded, deadline=ctx.deadline)
        self.contexts.append(ctx)
        self.sources.append(source)
        return source


def asked(*, stream: bool = False, wire: str = "test.chat", **parts: Any) -> RelayRequest:
    """A request; ``parts`` are those of its chat request that are there from the beginning."""
    chat = ChatRequest.deferred(lambda: ChatRequest.of("x"), needs=frozenset({Capability.CHAT}), **parts)
    return RelayRequest(wire=wire, raw=b'{"model":"x"}', document={"model": "x"}, chat=chat, stream=stream)
