"""Providers that do what a test tells them, and an observer that remembers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from itertools import count

import anyio
from attrs import define, field, frozen

from mlo import ChatResponse, Message, Usage
from mlo.api import CallContext
from mlo.events import Event, Finished, Started, TextDelta, UsageReported
from mlo.records import (
    AttemptFailed,
    AttemptFinished,
    AttemptStarted,
    BreakerChanged,
    CallFinished,
    CallStarted,
    ConfigReloaded,
    EventSeen,
    FirstEvent,
    Record,
    RouteDecided,
    StepChosen,
)
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import Embeddings, FinishReason

RECORDS: frozenset[type[Record]] = frozenset(
    {
        AttemptFailed,
        AttemptFinished,
        AttemptStarted,
        BreakerChanged,
        CallFinished,
        CallStarted,
        ConfigReloaded,
        EventSeen,
        FirstEvent,
        RouteDecided,
        StepChosen,
    }
)


@frozen(kw_only=True)
class Act:
    """One attempt's course: wait, send ``chunks`` pieces of text, then raise ``error`` or finish properly."""

    before: float = 0.0
    chunks: int = 2
    between: float = 0.0
    error: Exception | type[Exception] | None = None
    started: bool = True
    finished: bool = True


@define(eq=False)
class Scripted:
    """Plays its acts one after the other, the last one for ever; its text names provider, attempt and piece."""

    name: str
    acts: list[Act] = field(factory=lambda: [Act()])
    plays: int = 0
    running: int = 0
    most_running: int = 0
    seen: list[ChatRequest] = field(factory=list)
    contexts: list[CallContext] = field(factory=list)
    _numbers: Iterable[int] = field(factory=lambda: count(1))

    def pieces(self, play: int, chunks: int) -> list[str]:
        return [f"{self.name}#{play}.{piece} " for piece in range(chunks)]

    def _next(self, request: ChatRequest, ctx: CallContext) -> tuple[int, Act]:
        act = self.acts[min(self.plays, len(self.acts) - 1)]
        self.plays += 1
        self.seen.append(request)
        self.contexts.append(ctx)
        return self.plays, act

    def _enter(self) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        play, act = self._next(request, ctx)
        self._enter()
        try:
            await anyio.sleep(act.before)
            if act.error is not None:
                raise act.error
            return ChatResponse(
                message=Message.assistant("".join(self.pieces(play, act.chunks))), usage=Usage(total_tokens=act.chunks)
            )
        finally:
            self.running -= 1

    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        play, act = self._next(request, ctx)
        self._enter()
        try:
            await anyio.sleep(act.before)
            if act.started:
                yield Started(model=self.name)
            for piece in self.pieces(play, act.chunks):
                yield TextDelta(piece)
                await anyio.sleep(act.between)
            if act.error is not None:
                raise act.error
            if act.finished:
                yield UsageReported(Usage(total_tokens=act.chunks))
                yield Finished(FinishReason.STOP)
        finally:
            self.running -= 1

    async def embed(self, request: EmbeddingRequest, ctx: CallContext, /) -> Embeddings:
        self.plays += 1
        await anyio.sleep(0)
        return Embeddings(vectors=tuple((float(len(text)),) for text in request.texts), model=request.model)


@define(eq=False)
class Recorder:
    """An observer that keeps all it is told."""

    records: list[Record] = field(factory=list)
    wants: frozenset[type[Record]] = RECORDS

    def on(self, record: Record, /) -> None:
        self.records.append(record)

    def of(self, *kinds: type[Record]) -> list[Record]:
        return [record for record in self.records if isinstance(record, kinds)]
