"""The OpenAI-compatible side: for open-weight models, which have no native API, and for whoever asks for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from attrs import evolve

from mlo.api import CallContext
from mlo.events import Event, UsageReported
from mlo.models import Price
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse, FinishReason
from mlo_sdk.http import HttpClient
from mlo_sdk.openai_compat import Dialect, OpenAICompatProvider

from .answers import with_cost
from .errors import ERRORS
from .mapping import check_said, check_sampling, check_tools
from .stops import StopCutter, cut_events, cut_text

__all__ = ["DIALECT", "CompatSide"]

DIALECT = Dialect(
    sampling={"temperature": "temperature", "max_tokens": "max_tokens"},
    tool_choices=frozenset({"auto", "none"}),
    stream_usage=False,
    needs_done=True,
    unique_call_ids=True,
    texts_per_request=1,
    errors=ERRORS,
    request_id_headers=("x-request-id", "x-server-trace-id"),
)
"""The documented part of the side. ``stop``, ``seed`` and ``stream_options`` are documented as not supported."""


class CompatSide:
    """Generation over ``client``; ``call_headers`` gives the headers of one attempt.

    ``cut_stops`` cuts answers at stop sequences, which are refused otherwise.
    """

    def __init__(
        self, client: HttpClient, call_headers: Callable[[], Mapping[str, str]], *, cut_stops: bool = False
    ) -> None:
        def headers(_ctx: CallContext) -> Mapping[str, str]:
            return call_headers()

        self._provider = OpenAICompatProvider(client, dialect=DIALECT, name="yandexgpt", call_headers=headers)
        self._cut_stops = cut_stops

    async def generate(self, request: ChatRequest, ctx: CallContext, uri: str, price: Price | None) -> ChatResponse:
        """The whole answer.

        Raises:
            ProviderError: as the error table says.
        """
        response = await self._provider.generate(self._checked(request, uri), ctx)
        response = evolve(response, usage=with_cost(response.usage, price))
        text, hit = cut_text(response.text, request.sampling.stop)
        if not hit:
            return response
        return evolve(response, message=evolve(response.message, content=text), finish_reason=FinishReason.STOP)

    async def stream(
        self, request: ChatRequest, ctx: CallContext, uri: str, price: Price | None
    ) -> AsyncGenerator[Event, None]:
        """The answer as it comes.

        Raises:
            ProviderError: as the error table says.
        """
        cutter = StopCutter(request.sampling.stop) if request.sampling.stop else None
        async with aclosing(self._provider.generate_stream(self._checked(request, uri), ctx)) as events:
            async for event in events:
                if isinstance(event, UsageReported):
                    yield UsageReported(with_cost(event.usage, price))
                elif cutter is None:
                    yield event
                else:
                    for kept in cut_events(event, cutter):
                        yield kept
                    if cutter.hit:
                        return

    def _checked(self, request: ChatRequest, uri: str) -> ChatRequest:
        check_sampling(request.sampling, cut_stops=self._cut_stops)
        check_tools(request.tools)
        check_said(request.messages)
        return evolve(request, model=uri, sampling=evolve(request.sampling, stop=()))
