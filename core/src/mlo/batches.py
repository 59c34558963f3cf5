"""Events that came together, handed on together: what a provider may do to make its streams cheap."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from .events import Event

__all__ = ["EventBatches", "batched"]

P = ParamSpec("P")
S = TypeVar("S")


class EventBatches(AsyncGenerator[Event, None]):
    """A generator of events over one of batches.

    ``ready`` holds events that are there already: who reads them from it needs no trip through the generator, and no
    cancel scope. Empty batches are passed over.
    """

    __slots__ = ("_batches", "ready")

    def __init__(self, batches: AsyncGenerator[Iterable[Event], None]) -> None:
        self._batches = batches
        self.ready: deque[Event] = deque()

    def __aiter__(self) -> EventBatches:
        return self

    async def __anext__(self) -> Event:
        ready = self.ready
        while not ready:
            ready.extend(await anext(self._batches))
        return ready.popleft()

    async def asend(self, value: None, /) -> Event:
        """As ``anext``: the generator is told nothing."""
        del value
        return await anext(self)

    async def athrow(
        self,
        kind: type[BaseException] | BaseException,
        value: object = None,
        trace: TracebackType | None = None,
        /,
    ) -> Event:
        """Raise inside the generator, as PEP 525 has it."""
        del value, trace  # the forms that Python has deprecated
        self.ready.clear()
        self.ready.extend(await self._batches.athrow(kind))
        return await anext(self)

    async def aclose(self) -> None:
        """Close the generator."""
        self.ready.clear()
        await self._batches.aclose()


def batched(
    method: Callable[Concatenate[S, P], AsyncGenerator[Iterable[Event], None]],
) -> Callable[Concatenate[S, P], EventBatches]:
    """Make ``generate_stream`` of a method that yields batches.

    ::

        @batched
        async def generate_stream(self, request, ctx):
            ...
            async for chunk in chunks:
                yield reader.feed(chunk)
    """

    @wraps(method)
    def opened(self: S, /, *args: P.args, **kwargs: P.kwargs) -> EventBatches:
        return EventBatches(method(self, *args, **kwargs))

    return opened
