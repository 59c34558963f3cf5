"""The fourth thing that an attempt can do: pass the client's bytes on, or answer as ever where that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

from attrs import evolve

from ._attempt import Attempt
from ._operations import GENERATE, OPEN_STREAM, Accept, Source, close_source, wrong_result
from .api import Provider
from .errors import ProtocolViolated
from .relay import Relay, Relayed, RelayRequest, RelaySource
from .responses import ChatResponse

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OpenRelay", "RelayCommit", "Result"]


class RelayCommit:
    """A relayed stream past its commit point: ``first`` are the bytes that settled who answers."""

    __slots__ = ("attempt", "first", "source")

    def __init__(self, attempt: Attempt, source: RelaySource, first: bytes) -> None:
        self.attempt = attempt
        self.source = source
        self.first = first


Result: TypeAlias = Relayed | RelayCommit | ChatResponse | Source


class OpenRelay:
    """The operation for one request."""

    __slots__ = ("_request",)

    def __init__(self, request: RelayRequest) -> None:
        self._request = request

    async def perform(self, attempt: Attempt, accept: Accept) -> Result:
        """Ask the target in the way that it can be asked.

        Who wants to look at an answer, be it the strategy or an observer of content, needs it in the kernel's words.
        """
        provider = await attempt.enter()
        streamed = self._request.stream
        if accept is not None or attempt.call.emitter.capture or not self._is_taken_by(provider):
            return await (OPEN_STREAM if streamed else GENERATE).ask(provider, attempt, accept)
        relay = cast("Relay", provider)
        return await (self._stream(relay, attempt) if streamed else self._whole(relay, attempt))

    def _is_taken_by(self, provider: Provider) -> bool:
        asked: Callable[[RelayRequest], bool] | None = getattr(provider, "relays", None)  # isinstance() takes longer
        return asked is not None and asked(self._request)

    async def _whole(self, provider: Relay, attempt: Attempt) -> Relayed:
        relayed = await provider.relay(self._request, attempt.model(), attempt.context())
        if not isinstance(relayed, Relayed):
            raise wrong_result("relay", relayed, "Relayed")
        usage = attempt.priced(relayed.summary.usage)
        if usage is not relayed.summary.usage:
            relayed = evolve(relayed, summary=evolve(relayed.summary, usage=usage))
        attempt.finish(relayed.summary)
        return relayed

    async def _stream(self, provider: Relay, attempt: Attempt) -> RelayCommit:
        source = await provider.relay_stream(self._request, attempt.model(), attempt.context())
        if not hasattr(source, "receive"):
            raise wrong_result("relay_stream", source, "a RelaySource")
        try:
            first = await source.receive()
        except BaseException:
            await close_source(source, attempt.state.target.name)
            raise
        if not first:
            await close_source(source, attempt.state.target.name)
            raise ProtocolViolated("the stream ended before its first byte")
        attempt.commit()
        return RelayCommit(attempt, source, first)

    async def discard(self, result: Result) -> None:
        """Throw away the result of a lost race."""
        if isinstance(result, RelayCommit):
            await close_source(result.source, result.attempt.state.target.name)
            result.attempt.cancel()
        elif isinstance(result, Source):
            await OPEN_STREAM.discard(result)

    def response(self, result: Result) -> ChatResponse | None:
        """The answer, where the result is one in the kernel's words."""
        return result if isinstance(result, ChatResponse) else None
