"""What comes back from :meth:`mlo.router.Router.relay`."""

from __future__ import annotations

import math
import warnings
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

import anyio
import attrs

from ._call import Call, Status
from ._executor import execute
from ._operations import Source, close_source, summed_up
from ._relaying import OpenRelay, RelayCommit, Result
from .errors import DeadlineExceeded, ProviderError, StreamInterrupted
from .messages import Message
from .relay import Relayed, RelayRequest, RelaySummary
from .responses import ChatResponse, FinishReason
from .stream import Stream

if TYPE_CHECKING:
    from ._plan import RoutePlan
    from ._wiring import Wiring

__all__ = ["RelayAnswer", "RelayCall", "RelayedStream"]


class RelayedStream:
    """A streamed answer as the server writes it: an asynchronous iterator of bytes, with one reader.

    Errors while reading are those of :class:`~mlo.stream.Stream`; their ``partial`` has no text, for that has gone
    through unread.
    """

    __slots__ = ("_attempt", "_call", "_deadline", "_done", "_first", "_needs_scope", "_source", "_wiring")

    def __init__(self, call: Call, wiring: Wiring, commit: RelayCommit) -> None:
        self._call = call
        self._wiring = wiring
        self._attempt = commit.attempt
        self._source = commit.source
        self._first = commit.first
        self._deadline = math.inf if call.deadline is None else call.deadline
        self._needs_scope = self._deadline < math.inf and not commit.source.is_bounded
        self._done = False

    @property
    def call_id(self) -> str:
        """The identity of the call."""
        return self._call.call_id

    @property
    def target(self) -> str:
        """Who answers."""
        return self._attempt.state.target.name

    @property
    def content_type(self) -> str:
        """The media type, as the server gave it."""
        return self._source.content_type

    def summary(self) -> RelaySummary:
        """What is known of the answer so far, with its cost."""
        summary = summed_up(self._source, self.target)
        usage = self._attempt.priced(summary.usage)
        return summary if usage is summary.usage else attrs.evolve(summary, usage=usage)

    async def aclose(self) -> None:
        """Stop reading: the connection is closed, and the call counts as abandoned unless it was over."""
        await self._end("abandoned")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            piece, self._first = self._first, b""
            return piece
        if self._done:
            raise StopAsyncIteration
        try:
            piece = await (self._in_time() if self._needs_scope else self._source.receive())
        except Exception as error:
            raise await (self._time_out() if self._is_late() else self._interrupt(error)) from error
        except BaseException:
            await self._end("cancelled")
            raise
        if piece:
            return piece
        await self._end("ok")
        raise StopAsyncIteration

    async def _in_time(self) -> bytes:
        with anyio.CancelScope(deadline=self._deadline):
            return await self._source.receive()
        raise TimeoutError

    def _is_late(self) -> bool:
        return self._deadline < math.inf and anyio.current_time() >= self._deadline

    async def _time_out(self) -> DeadlineExceeded:
        message = f"{self.target}: the answer was not complete within the deadline"
        error = DeadlineExceeded(message, call_id=self.call_id, partial=self._partial())
        await self._end("error", error)
        return error

    async def _interrupt(self, cause: Exception) -> StreamInterrupted:
        known = cause if isinstance(cause, ProviderError) else ProviderError("")
        error = StreamInterrupted(
            f"the stream broke after its first event: {known.message or repr(cause)}",
            partial=self._partial(),
            target=self.target,
            status=known.status,
            request_id=known.request_id,
        )
        await self._end("error", error)
        return error

    def _partial(self) -> ChatResponse:
        summary = self.summary()
        return ChatResponse(
            message=Message.assistant(""),
            finish_reason=FinishReason.OTHER,
            usage=summary.usage,
            model=summary.model,
            request_id=summary.request_id,
            call=self._call.info(self.target),
        )

    async def _end(self, status: Status, error: Exception | None = None) -> None:
        """Close the source and account for the call, once."""
        if self._done:
            return
        self._done = True
        self._first = b""
        try:
            await close_source(self._source, self.target)
        finally:
            self._account(status, error)

    def _account(self, status: Status, error: Exception | None) -> None:
        summary, attempt = self.summary(), self._attempt
        if status == "ok":
            attempt.finish(summary)
        elif error is not None:
            attempt.fail(error, summary.usage, summary.characters)
        else:
            attempt.cancel(summary.usage, summary.characters)
        self._call.finish(status, target=self.target, usage=summary.usage, error=error)
        self._wiring.leave()

    def __del__(self) -> None:
        if not self._done:
            self._done = True
            self._account("abandoned", None)
            message = f"a relayed stream from {self.target} was dropped without being closed: leave its block"
            warnings.warn(message, ResourceWarning, source=self, stacklevel=2)


RelayAnswer: TypeAlias = Relayed | RelayedStream | ChatResponse | Stream
"""Bytes as the server sent them, whole or as a stream; or, from a target that does not speak the client's wire, an
answer in the kernel's words, whole or as a stream."""


class RelayCall(AbstractAsyncContextManager[RelayAnswer]):
    """A call along a route whose answer is wanted in the client's own wire. Enter it once; leaving ends the call.

    ::

        async with router.relay(request, route="default") as answer:
            match answer:
                case Relayed():
                    await send(answer.body)
                case RelayedStream():
                    async for piece in answer:
                        await send(piece)
                case ChatResponse() | Stream():
                    ...  # put it into the client's wire

    Entering raises what ``Router.route`` raises.
    """

    __slots__ = ("_answer", "_deadline", "_plan", "_request", "_wiring")

    def __init__(self, wiring: Wiring, plan: RoutePlan, request: RelayRequest, deadline: float | None) -> None:
        self._wiring = wiring
        self._plan = plan
        self._request = request
        self._deadline = deadline
        self._answer: RelayedStream | Stream | None = None

    async def __aenter__(self) -> RelayAnswer:
        request, wiring = self._request, self._wiring
        call = Call(self._plan, request.chat, "stream" if request.stream else "chat", self._deadline)
        wiring.enter()
        try:
            result: Result = await execute(call, OpenRelay(request))
        except BaseException as error:
            known = error if isinstance(error, Exception) else None
            call.finish("cancelled" if known is None else "error", error=known)
            wiring.leave()
            raise
        return self._handed_out(call, result)

    def _handed_out(self, call: Call, result: Result) -> RelayAnswer:
        if isinstance(result, RelayCommit):
            self._answer = RelayedStream(call, self._wiring, result)
            return self._answer
        if isinstance(result, Source):
            self._answer = Stream.committed(call, self._wiring, result)
            return self._answer
        target = call.outcomes[-1].target.name
        usage = result.summary.usage if isinstance(result, Relayed) else result.usage
        call.finish("ok", target=target, usage=usage)
        self._wiring.leave()
        return attrs.evolve(result, call=call.info(target))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._answer is not None:
            await self._answer.aclose()
