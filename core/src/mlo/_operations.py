"""The three things that an attempt can do: answer whole, begin a stream, embed."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from inspect import iscoroutine
from typing import Protocol, TypeAlias, TypeVar, cast

import anyio

from ._attempt import Attempt
from .api import Embedder, Provider
from .batches import EventBatches
from .errors import AnswerRejected, MloError, PluginFault, ProtocolViolated, Unsupported
from .events import Event, Fold, Started, UsageReported
from .relay import RelaySource, RelaySummary
from .requests import ChatRequest, EmbeddingRequest
from .responses import ChatResponse, Embeddings

__all__ = [
    "EMBED",
    "GENERATE",
    "OPEN_STREAM",
    "Accept",
    "Closable",
    "Operation",
    "Source",
    "close_source",
    "summed_up",
    "wrong_result",
]

T = TypeVar("T")

Accept: TypeAlias = Callable[[ChatResponse], bool] | None
_CLOSE_TIMEOUT = 5.0
_log = logging.getLogger("mlo")


class Operation(Protocol[T]):
    """What the executor runs at a target."""

    async def perform(self, attempt: Attempt, accept: Accept) -> T:
        """Do it, and tell ``attempt`` when it has succeeded; errors are the executor's business."""

    async def discard(self, result: T) -> None:
        """Throw away the result of a lost race."""

    def response(self, result: T) -> ChatResponse | None:
        """The answer, where the result is one."""


class _Generate:
    async def perform(self, attempt: Attempt, accept: Accept) -> ChatResponse:
        return await self.ask(await attempt.enter(), attempt, accept)

    async def ask(self, provider: Provider, attempt: Attempt, accept: Accept) -> ChatResponse:
        """The attempt itself, once ``provider`` is there."""
        response = await provider.generate(cast("ChatRequest", attempt.request()), attempt.context())
        if not isinstance(response, ChatResponse):
            raise wrong_result("generate", response, "a ChatResponse")
        response = attempt.succeed(response)
        _judge(response, accept)
        return response

    async def discard(self, result: ChatResponse) -> None:
        pass

    def response(self, result: ChatResponse) -> ChatResponse | None:
        return result


class _Embed:
    async def perform(self, attempt: Attempt, accept: Accept) -> Embeddings:
        del accept  # there is no text to judge
        provider = await attempt.enter()
        if not isinstance(provider, Embedder):
            raise Unsupported("makes no embeddings: name a target that does")
        embeddings = await provider.embed(cast("EmbeddingRequest", attempt.request()), attempt.context())
        if not isinstance(embeddings, Embeddings):
            raise wrong_result("embed", embeddings, "Embeddings")
        return attempt.succeed(embeddings)

    async def discard(self, result: Embeddings) -> None:
        pass

    def response(self, result: Embeddings) -> ChatResponse | None:
        del result
        return None


class Source:
    """A stream past its commit point: what was read so far, and the generator with the rest.

    A ``generator`` of ``None`` means that all was read.
    """

    __slots__ = ("attempt", "events", "generator")

    def __init__(self, attempt: Attempt, events: deque[Event], generator: AsyncGenerator[Event, None] | None) -> None:
        self.attempt = attempt
        self.events = events
        self.generator = generator


class _OpenStream:
    async def perform(self, attempt: Attempt, accept: Accept) -> Source:
        return await self.ask(await attempt.enter(), attempt, accept)

    async def ask(self, provider: Provider, attempt: Attempt, accept: Accept) -> Source:
        """The attempt itself, once ``provider`` is there."""
        chat = cast("ChatRequest", attempt.request())
        generator = provider.generate_stream(chat, attempt.context())
        if not isinstance(generator, AsyncGenerator):
            raise wrong_result("generate_stream", generator, "an asynchronous generator")
        try:
            if accept is not None:
                return await self._hold_back(attempt, generator, accept)
            events = await self._until_commit(generator)
        except BaseException:
            await close_source(generator, attempt.state.target.name)
            raise
        attempt.commit()
        return Source(attempt, events, generator)

    async def _until_commit(self, generator: AsyncGenerator[Event, None]) -> deque[Event]:
        events: deque[Event] = deque()
        async for event in generator:
            events.append(event)
            # `Started` shows the reader nothing: a failure right after it may still go to another target.
            if type(event) is not Started:
                if isinstance(generator, EventBatches):
                    events.extend(generator.ready)
                    generator.ready.clear()
                return events
        raise ProtocolViolated("the stream ended before its first event")

    async def _hold_back(self, attempt: Attempt, generator: AsyncGenerator[Event, None], accept: Accept) -> Source:
        events: deque[Event] = deque()
        total = Fold()
        async for event in generator:
            if type(event) is UsageReported:
                event = UsageReported(attempt.priced(event.usage))  # noqa: PLW2901 - the same event, with its cost
            events.append(event)
            total.add(event)
        if not total.finished:
            raise ProtocolViolated("the stream ended without saying that the answer is complete")
        response = total.response()
        attempt.finish(response)
        _judge(response, accept)
        return Source(attempt, events, None)

    async def discard(self, result: Source) -> None:
        if result.generator is not None:
            await close_source(result.generator, result.attempt.state.target.name)
        result.attempt.cancel()

    def response(self, result: Source) -> ChatResponse | None:
        del result
        return None


def _judge(response: ChatResponse, accept: Accept) -> None:
    if accept is None:
        return
    try:
        accepted = accept(response)
    except Exception as error:
        reason = f"the strategy could not judge the answer: {type(error).__name__}: {error} (a bug in the strategy)"
        raise AnswerRejected(reason, response=response) from error
    if not accepted:
        raise AnswerRejected("the strategy did not accept the answer", response=response)


def wrong_result(method: str, result: object, wanted: str) -> PluginFault:
    """The error for a provider whose method gave something else than promised."""
    if iscoroutine(result):
        result.close()  # Python would complain that nobody awaited it
    return PluginFault(f"{method}() gave {type(result).__name__} instead of {wanted} (a bug in the plugin)")


class Closable(Protocol):
    """A provider's stream."""

    async def aclose(self) -> None:
        """Hang up."""


async def close_source(generator: Closable, target: str) -> None:
    """Close a provider's stream even while being cancelled, but do not wait for it for ever.

    The fate of the answer is settled by now: a failure to hang up does not change it.
    """
    with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
        try:
            await generator.aclose()
        except MloError:
            pass
        except Exception:  # noqa: BLE001 - a border: a bug in a plugin must not take the call down with it
            _log.warning("%s: the provider plugin failed to close its stream", target, exc_info=True)


def summed_up(source: RelaySource, target: str) -> RelaySummary:
    """What is known of a relayed stream. A bug in the plugin must not keep the call from its end."""
    try:
        summary = source.summary()
    except Exception:  # noqa: BLE001 - a border, as above
        _log.warning("%s: the provider plugin failed to sum up its stream", target, exc_info=True)
        return RelaySummary()
    if not isinstance(summary, RelaySummary):
        _log.warning("%s: %s", target, wrong_result("summary", summary, "a RelaySummary"))
        return RelaySummary()
    return summary


GENERATE = _Generate()
EMBED = _Embed()
OPEN_STREAM = _OpenStream()
