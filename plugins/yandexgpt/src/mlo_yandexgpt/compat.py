"""The OpenAI-compatible side: for open-weight models, which have no native API, and for whoever asks for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from attrs import evolve

from mlo.api import CallContext
from mlo.events import Event, UsageReported
from mlo.models import Price
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse
from mlo_sdk.http import HttpClient
from mlo_sdk.openai_compat import Dialect, OpenAICompatProvider

from .answers import with_cost
from .errors import ERRORS
from .mapping import check_sampling, check_tools

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
    """Generation over ``client``; ``call_headers`` gives the headers of one attempt."""

    def __init__(self, client: HttpClient, call_headers: Callable[[], Mapping[str, str]]) -> None:
        def headers(_ctx: CallContext) -> Mapping[str, str]:
            return call_headers()

        self._provider = OpenAICompatProvider(client, dialect=DIALECT, name="yandexgpt", call_headers=headers)

    async def generate(self, request: ChatRequest, ctx: CallContext, uri: str, price: Price | None) -> ChatResponse:
        """The whole answer.

        Raises:
            ProviderError: as the error table says.
        """
        response = await self._provider.generate(_checked(request, uri), ctx)
        return evolve(response, usage=with_cost(response.usage, price))

    async def stream(
        self, request: ChatRequest, ctx: CallContext, uri: str, price: Price | None
    ) -> AsyncGenerator[Event, None]:
        """The answer as it comes.

        Raises:
            ProviderError: as the error table says.
        """
        async with aclosing(self._provider.generate_stream(_checked(request, uri), ctx)) as events:
            async for event in events:
                yield UsageReported(with_cost(event.usage, price)) if isinstance(event, UsageReported) else event


def _checked(request: ChatRequest, uri: str) -> ChatRequest:
    check_sampling(request.sampling)
    check_tools(request.tools)
    return evolve(request, model=uri)
