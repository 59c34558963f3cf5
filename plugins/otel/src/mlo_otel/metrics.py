"""The instruments, and what is recorded with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mlo.models import Money
from mlo.responses import Usage

from .aggregates import Histogram, Labels, Registry
from .semconv import CHAT, DURATION_BUCKETS, EMBEDDINGS, TOKEN_BUCKETS, Gen, Kind, Mlo, Table

__all__ = ["Instruments", "attempt_labels"]

_ATTEMPT = (Gen.OPERATION, Gen.PROVIDER, Gen.REQUEST_MODEL, Gen.RESPONSE_MODEL, Gen.ERROR_TYPE)
_TOKENS = "Number of input and output tokens used by GenAI clients"
_MODALITY = "unknown"  # no vendor here tells


def attempt_labels(
    operation: str,
    provider: str,
    request_model: str | None,
    response_model: str | None = None,
    error: str | None = None,
) -> Labels:
    """What the metrics of an attempt are grouped by."""
    return (operation, provider, request_model, response_model, error)


class Instruments:
    """One set per observer. ``lost`` gives the losses by signal and reason."""

    def __init__(self, registry: Registry, table: Table, lost: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._lost = lost
        self._duration = {
            operation: _seconds(registry, name, "Duration of GenAI client operation", _ATTEMPT)
            for operation, name in table.duration.items()
        }
        self._first_chunk = _seconds(registry, table.first_chunk, "Time to receive the first chunk", _ATTEMPT)
        self._chunk = _seconds(registry, table.chunk, "Time per output chunk, after the first one", _ATTEMPT)
        self._usage = None
        if table.usage is not None:
            names = (*_ATTEMPT, Gen.TOKEN_TYPE)
            self._usage = registry.histogram(table.usage, "{token}", _TOKENS, names, TOKEN_BUCKETS)
        self._distributions = {
            key: registry.histogram(name, "{token}", _TOKENS, _ATTEMPT, TOKEN_BUCKETS)
            for key, name in table.distributions.items()
        }
        self._counters = {
            kind: registry.counter(name, "{token}", f"Tokens used: {kind}", (*_ATTEMPT, Gen.TOKEN_MODALITY))
            for kind, name in table.counters.items()
        }
        of_calls = (Mlo.ROUTE, Mlo.OPERATION, Mlo.STATUS)
        description = "Duration of a routed call, all attempts included"
        self._call = _seconds(registry, Mlo.CALL_DURATION, description, of_calls)
        description = "Cost in billionths of the unit of currency"
        self._cost = registry.counter(Mlo.COST, "n{currency}", description, (*_ATTEMPT, Mlo.CURRENCY))
        registry.observed(Mlo.DROPPED, "{item}", "Spans and events that never arrived", self._losses)

    def attempt(self, operation: str, labels: Labels, elapsed: float, usage: Usage) -> None:
        """An attempt ended."""
        self._duration[operation].record(elapsed, labels)
        if usage.prompt_tokens is not None:
            self._count(operation, "input", usage.prompt_tokens, labels)
        if usage.completion_tokens is not None and operation != EMBEDDINGS:
            self._count(operation, "output", usage.completion_tokens, labels)
        if usage.cached_tokens:
            self._count(operation, "cache_read", usage.cached_tokens, labels)
        if usage.reasoning_tokens:
            self._count(operation, "reasoning", usage.reasoning_tokens, labels)
        if usage.cost is not None:
            self._spent(usage.cost, labels)

    def first_chunk(self, elapsed: float, labels: Labels) -> None:
        """A stream has begun to speak."""
        self._first_chunk.record(elapsed, labels)

    def chunk(self, elapsed: float, labels: Labels) -> None:
        """It has said one thing more."""
        self._chunk.record(elapsed, labels)

    def call(self, elapsed: float, route: str, operation: str, status: str) -> None:
        """A call ended."""
        self._call.record(elapsed, (route, operation, status))

    def _count(self, operation: str, kind: Kind, count: int, labels: Labels) -> None:
        if self._usage is not None and kind in {"input", "output"}:
            self._usage.record(count, (*labels, kind))
        distribution = self._distributions.get((operation, kind))
        if distribution is not None:
            distribution.record(count, labels)
        counter = self._counters.get(kind) if operation == CHAT else None
        if counter is not None:
            counter.add(count, (*labels, _MODALITY))

    def _spent(self, cost: Money, labels: Labels) -> None:
        if cost.nano >= 0:  # a counter does not go back
            self._cost.add(cost.nano, (*labels, cost.currency))

    def _losses(self) -> Iterable[tuple[Mapping[str, str], int]]:
        for (signal, reason), count in self._lost().items():
            yield {Mlo.SIGNAL: signal, Mlo.REASON: reason}, count


def _seconds(registry: Registry, name: str, description: str, names: tuple[str, ...]) -> Histogram:
    return registry.histogram(name, "s", description, names, DURATION_BUCKETS)
