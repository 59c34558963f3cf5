"""A streamed answer in the hands of its reader."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import AsyncGenerator, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import anyio
import anyio.lowlevel
import attrs

from ._attempt import Attempt
from ._call import Call, Status
from ._executor import execute
from ._operations import OPEN_STREAM, Source, close_source
from .batches import EventBatches
from .errors import CallCancelled, DeadlineExceeded, MloError, ProviderError, StreamInterrupted
from .events import Event, Finished, Fold, UsageReported
from .records import EventSeen
from .requests import ChatRequest
from .responses import ChatResponse

if TYPE_CHECKING:
    from ._plan import RoutePlan
    from ._wiring import Wiring
    from .api import CallContext

__all__ = ["Stream"]


class Stream:
    """An asynchronous iterator of events that is also a context manager.

    ::

        async with router.route_stream("Hello") as stream:
            async for event in stream:
                ...
        answer = stream.response()

    The first ``anext`` chooses who answers, with all the route's fallbacks; from the first event on nobody else will.
    Leaving the block closes the connection at once. One reader at a time; :meth:`cancel` may come from any task.

    Errors while reading: those of ``Router.route``; :class:`~mlo.errors.StreamInterrupted` when the stream breaks
    after the first event, with the partial answer; :class:`~mlo.errors.DeadlineExceeded`;
    :class:`~mlo.errors.CallCancelled`.
    """

    def __init__(
        self,
        begin: Callable[[], tuple[Wiring, RoutePlan, float | None]],
        request: ChatRequest,
        outer: CallContext | None = None,
    ) -> None:
        self._begin = begin
        self._request = request
        self._outer = outer
        self._wiring: Wiring | None = None
        self._call: Call | None = None
        self._attempt: Attempt | None = None
        self._events: deque[Event] = deque()
        self._generator: AsyncGenerator[Event, None] | None = None
        self._fold = Fold()
        self._scope: anyio.CancelScope | None = None
        self._cancel_asked = False
        self._done = False
        self._tells_events = False
        self._deadline = math.inf

    @classmethod
    def committed(cls, call: Call, wiring: Wiring, source: Source) -> Self:
        """A stream whose source has been chosen already. For the kernel."""
        stream = cls(lambda: (wiring, call.plan, call.deadline), cast("ChatRequest", call.request))
        stream._call, stream._wiring = call, wiring
        stream._attempt, stream._generator, stream._events = source.attempt, source.generator, source.events
        stream._tells_events = EventSeen in call.emitter.table
        stream._deadline = math.inf if call.deadline is None else call.deadline
        return stream

    @property
    def call_id(self) -> str | None:
        """The identity of the call, once it has begun."""
        return None if self._call is None else self._call.call_id

    @property
    def target(self) -> str | None:
        """Who answers, once that is settled."""
        return None if self._attempt is None else self._attempt.state.target.name

    @property
    def has_more(self) -> bool:
        """Whether the next event is there already, so that ``anext`` would not wait for it."""
        return bool(self._events)

    def response(self) -> ChatResponse:
        """The answer as far as it was read; complete when its ``finish_reason`` is not ``OTHER``."""
        response = self._fold.response()
        if self._call is None or self._attempt is None:
            return response
        return attrs.evolve(response, call=self._call.info(self._attempt.state.target.name))

    async def cancel(self) -> None:
        """Stop: whoever reads gets :class:`~mlo.errors.CallCancelled`, now or at the next event."""
        self._cancel_asked = True
        if self._scope is not None:
            self._scope.cancel()
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Stop reading. What was read so far stays in :meth:`response`; to another task that reads it is a cancel."""
        if self._scope is not None:
            await self.cancel()
        else:
            await self._end("abandoned")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Event:
        if self._cancel_asked and not self._done:
            raise await self._give_up()
        if self._events:
            event = self._events.popleft()
        elif self._generator is not None:
            event = await self._next(self._generator)
        else:
            event = await self._first()
        if isinstance(event, UsageReported) and self._attempt is not None:
            event = UsageReported(self._attempt.priced(event.usage))
        self._fold.add(event)
        if self._tells_events:
            self._tell(event)
        if type(event) is Finished:
            await self._end("ok")
        return event

    async def _first(self) -> Event:
        """Go through the route until somebody commits."""
        if self._done:
            raise StopAsyncIteration
        if self._scope is not None:
            raise _busy()
        # A stream may lie unread for long: its call belongs to the configuration of now.
        wiring, plan, deadline = self._begin()
        call = self._call = Call(plan, self._request, "stream", deadline, self._outer)
        self._tells_events = EventSeen in call.emitter.table
        self._deadline = math.inf if deadline is None else deadline
        wiring.enter()
        self._wiring = wiring
        try:
            with anyio.CancelScope() as self._scope:
                source = await execute(call, OPEN_STREAM)
                self._attempt, self._generator, self._events = source.attempt, source.generator, source.events
                return self._events.popleft()
        except Exception as error:
            await self._end("error", error)
            raise
        except BaseException:
            await self._end("cancelled")
            raise
        finally:
            self._scope = None
        raise await self._give_up()

    async def _next(self, generator: AsyncGenerator[Event, None]) -> Event:
        """One more event.

        The scope opens and closes within one ``anext``: none is open while the reader's code runs.
        """
        if self._scope is not None:
            raise _busy()
        try:
            with anyio.CancelScope(deadline=self._deadline) as self._scope:
                event = await anext(generator)
                if isinstance(generator, EventBatches) and generator.ready:
                    self._events.extend(generator.ready)
                    generator.ready.clear()
                return event
        except StopAsyncIteration:
            raise await self._interrupt(None) from None
        except Exception as error:
            raise await self._interrupt(error) from error
        except BaseException:
            await self._end("cancelled")
            raise
        finally:
            self._scope = None
        raise await (self._give_up() if self._cancel_asked else self._time_out())

    async def _interrupt(self, cause: Exception | None) -> StreamInterrupted:
        known = cause if isinstance(cause, ProviderError) else ProviderError("")
        if isinstance(cause, StreamInterrupted):  # of a route inside this route, which has said it already
            message = cause.message
        else:
            ended = "it ended without saying that the answer is complete"
            message = f"the stream broke after its first event: {known.message or repr(cause) if cause else ended}"
        error = StreamInterrupted(
            message,
            partial=self.response(),
            target=self.target,
            status=known.status,
            request_id=known.request_id,
        )
        await self._end("error", error)
        return error

    async def _give_up(self) -> CallCancelled:
        error = CallCancelled("the stream was cancelled", call_id=self.call_id or "", partial=self.response())
        await self._end("cancelled")
        return error

    async def _time_out(self) -> DeadlineExceeded:
        message = f"{self.target}: the answer was not complete within the deadline"
        error = DeadlineExceeded(message, call_id=self.call_id or "", partial=self.response())
        await self._end("error", error)
        return error

    async def _end(self, status: Status, error: Exception | None = None) -> None:
        """Close the source and account for the call, once."""
        if self._done:
            return
        self._done = True
        generator, self._generator = self._generator, None
        self._events.clear()
        try:
            if generator is not None:
                await close_source(generator, self.target or "")
        finally:
            self._account(status, error)

    def _account(self, status: Status, error: Exception | None) -> None:
        call, attempt, usage = self._call, self._attempt, self._fold.usage
        if call is None or self._wiring is None:
            return
        if attempt is None:
            call.finish(status, error=error)
        else:
            if status == "ok":
                attempt.finish(self._fold.response())
            elif error is not None:
                attempt.fail(error, usage, self._fold.characters)
            else:
                attempt.cancel(usage, self._fold.characters)
            call.finish(status, target=self.target, usage=usage, error=error)
        self._wiring.leave()

    def _tell(self, event: Event) -> None:
        call = self._call
        if call is not None:
            shown = event if call.emitter.capture else None
            kind = type(event).__name__
            call.emitter.emit(EventSeen(call_id=call.call_id, target=self.target or "", kind=kind, event=shown))

    def __del__(self) -> None:
        if self._call is not None and not self._done:
            self._done = True
            self._account("abandoned", None)
            message = f"a stream from {self.target} was dropped without being closed: use `async with` or `aclose()`"
            warnings.warn(message, ResourceWarning, source=self, stacklevel=2)


def _busy() -> MloError:
    return MloError("another task is reading this stream: it has one reader at a time")
