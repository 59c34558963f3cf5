"""The mock as a provider: pace, faults and the order of events. What it says is decided in :mod:`mlo_mock.answers`."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from random import Random

import anyio

from mlo.api import CallContext, Environment
from mlo.errors import InvalidRequest, ModelNotFound, ProviderError, TransportFailed
from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported
from mlo.messages import Message, Role
from mlo.models import ModelInfo
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse, Embeddings, Health, Usage

from .answers import Answer, chunks_of, compose, count_words, usage_of, vector_of
from .config import CAPABILITIES, RESIDENCY, Latency, MockConfig
from .faults import FaultPlan

__all__ = ["MockProvider", "open_mock"]

_MOST_DIMENSIONS = 16_384
_SICK = frozenset({"unhealthy", "overloaded", "server-fault", "timeout", "refused", "hang"})


@asynccontextmanager
async def open_mock(config: MockConfig, _environment: Environment) -> AsyncIterator[MockProvider]:
    """Open a mock; there is nothing to close."""
    yield MockProvider(config)


class MockProvider:
    """Answers without a network. Any number of calls may run at once; without delays a call never suspends."""

    def __init__(self, config: MockConfig | None = None) -> None:
        self._config = config or MockConfig()
        self._rng = Random(self._config.seed)  # noqa: S311 - delays, not secrets
        self._faults = FaultPlan(self._config, self._rng)
        self._answers = count()
        self._paced = bool(self._config.delay or self._config.latency or self._config.mode == "hang")
        self.calls = 0
        """How many chat and embedding calls came in, failed ones included."""
        self.open_streams = 0
        """How many streams have been started and not yet been read to the end or closed."""

    def open_connections(self) -> int:
        """What a network provider would hold open: one connection per stream under way."""
        return self.open_streams

    async def generate(self, request: ChatRequest, _ctx: CallContext, /) -> ChatResponse:
        """The whole answer.

        Raises:
            ProviderError: the leaf that the configuration asks for, if it asks for one.
        """
        await self._admit(request.model, 0.0)
        answer = self._answer(request)
        return ChatResponse(
            message=Message(
                role=Role.ASSISTANT, content=answer.text, tool_calls=answer.calls, reasoning=answer.reasoning
            ),
            finish_reason=self._config.finish_reason or answer.finish,
            usage=usage_of(request, answer, self._config),
            model=request.model or self._config.models[0],
            raw=self._raw(request),
        )

    async def generate_stream(self, request: ChatRequest, _ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        """The answer as events.

        Raises:
            ProviderError: the leaf that the configuration asks for, before the first event.
            TransportFailed: after ``break_after`` chunks, where that is configured.
        """
        self.open_streams += 1
        try:
            await self._admit(request.model, self._config.first_delay)
            answer = self._answer(request)
            yield Started(model=request.model or self._config.models[0])
            deltas = self._deltas(answer)
            pause = self._chunk_pause(len(deltas))
            for number, delta in enumerate(deltas):
                self._break_if_due(number)
                if pause:
                    await anyio.sleep(pause)
                yield delta
            self._break_if_due(len(deltas))
            yield UsageReported(usage_of(request, answer, self._config))
            yield Finished(self._config.finish_reason or answer.finish, self._raw(request))
        finally:
            self.open_streams -= 1

    async def embed(self, request: EmbeddingRequest, _ctx: CallContext, /) -> Embeddings:
        """One unit vector per text; the same text always has the same one.

        Raises:
            ProviderError: the leaf that the configuration asks for, if it asks for one; ``InvalidRequest`` for more
                dimensions than any model has.
        """
        await self._admit(request.model, 0.0)
        dimensions = request.dimensions or self._config.dimensions
        if dimensions > _MOST_DIMENSIONS:
            raise InvalidRequest(f"{dimensions} dimensions are too many: the mock makes {_MOST_DIMENSIONS} at most")
        tokens = sum(count_words(text) for text in request.texts)
        known = Usage(prompt_tokens=tokens, total_tokens=tokens, source="vendor")
        return Embeddings(
            vectors=tuple(vector_of(text, dimensions) for text in request.texts),
            usage=Usage() if self._config.usage == "none" else known,
            model=request.model or self._config.models[0],
        )

    async def models(self) -> Sequence[ModelInfo]:
        """The configured models."""
        return tuple(
            ModelInfo(id=name, provider="mock", capabilities=CAPABILITIES, residency=RESIDENCY)
            for name in self._config.models
        )

    async def count_tokens(self, texts: Sequence[str], model: str | None = None) -> Sequence[int]:  # noqa: ARG002
        """Words of each text."""
        return tuple(count_words(text) for text in texts)

    async def health(self) -> Health:
        """Healthy unless the mode is a sickness of the service; a rejected key, say, is not one."""
        mode = self._config.mode
        healthy = mode not in _SICK
        return Health(healthy=healthy, detail="" if healthy else f"mode {mode}", load=self._config.load)

    async def _admit(self, model: str | None, further: float) -> None:
        """Whatever happens to every call before it is answered."""
        self.calls += 1
        error = None if self._faults.idle else self._faults.error()
        if self._paced or further:
            await self._pause(further)
        if error is not None:
            raise error
        if model is not None and self._config.strict_models and model not in self._config.models:
            raise self._no_model(model)

    async def _pause(self, further: float) -> None:
        if self._config.mode == "hang":
            await anyio.sleep_forever()
        latency = self._config.latency
        await anyio.sleep(self._config.delay + further + (draw(latency, self._rng) if latency else 0.0))

    def _no_model(self, model: str) -> ProviderError:
        return ModelNotFound(f"no model {model!r}; `models` lists {', '.join(self._config.models)}", status=404)

    def _answer(self, request: ChatRequest) -> Answer:
        config = self._config
        if config.script:
            # the number is taken before anything can fail, so that each call has its own line
            return compose(request, config.script[min(next(self._answers), len(config.script) - 1)])
        return compose(request, config.answer)

    def _deltas(self, answer: Answer) -> list[Event]:
        size = 1 if self._config.trickle else self._config.chunk_size
        deltas: list[Event] = [ReasoningDelta(chunk) for chunk in chunks_of(answer.reasoning or "", size)]
        deltas += [TextDelta(chunk) for chunk in chunks_of(answer.text, size)]
        for index, call in enumerate(answer.calls):
            deltas.append(ToolCallDelta(index=index, id=call.id, name=call.name))
            deltas += [ToolCallDelta(index=index, arguments=chunk) for chunk in chunks_of(call.arguments, size)]
        return deltas

    def _chunk_pause(self, chunks: int) -> float:
        return self._config.chunk_delay + (self._config.trickle / chunks if chunks else 0.0)

    def _break_if_due(self, sent: int) -> None:
        if self._config.break_after == sent:
            raise TransportFailed(f"the stream was cut after {sent} chunks (the mock was told to)", code="cut")

    @staticmethod
    def _raw(request: ChatRequest) -> dict[str, object]:
        """Vendor options come back as they were sent, so that a test can see that they arrived."""
        return {"extra": dict(request.extra)} if request.extra else {}


def draw(latency: Latency, rng: Random) -> float:
    """One pause in seconds."""
    most = math.inf if latency.high is None else latency.high
    match latency.kind:
        case "constant":
            pause = latency.low
        case "uniform":
            pause = rng.uniform(latency.low, most)
        case "exponential":
            pause = latency.low + (rng.expovariate(1 / latency.median) if latency.median else 0.0)
        case "lognormal":
            pause = latency.low + latency.median * math.exp(rng.gauss(0.0, latency.sigma))
    return min(pause, most)
