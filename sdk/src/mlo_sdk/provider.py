"""The base class of providers: write one of the two methods, get the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from mlo.api import CallContext
from mlo.events import Event, events_of, fold_async
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse

__all__ = ["BaseProvider"]


class BaseProvider:
    """Supplies :meth:`generate` from :meth:`generate_stream` and the other way round.

    Raises:
        TypeError: at class creation, when a subclass defines neither.
    """

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if cls.generate is BaseProvider.generate and cls.generate_stream is BaseProvider.generate_stream:
            msg = f"{cls.__module__}.{cls.__qualname__} must define generate() or generate_stream(), or both"
            raise TypeError(msg)

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        """The whole answer: the sum of :meth:`generate_stream`.

        Raises:
            ProviderError: what the stream raises.
        """
        async with aclosing(self.generate_stream(request, ctx)) as events:
            return await fold_async(events)

    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        """The events of :meth:`generate`, all at once when it is done.

        Raises:
            ProviderError: what :meth:`generate` raises.
        """
        for event in events_of(await self.generate(request, ctx)):
            yield event
