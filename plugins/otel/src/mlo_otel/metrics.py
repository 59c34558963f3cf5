"""The instruments, and what is recorded with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, Observation
from opentelemetry.util.types import AttributeValue

from mlo.models import Money
from mlo.responses import Usage

from .semconv import CHAT, DURATION_BUCKETS, EMBEDDINGS, TOKEN_BUCKETS, Gen, Kind, Mlo, Table

__all__ = ["Instruments"]

_Labels = Mapping[str, AttributeValue]


class Instruments:
    """One set per observer. ``lost`` gives the losses by signal and reason."""

    def __init__(self, meter: Meter, table: Table, lost: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._lost = lost
        self._duration = {
            operation: _seconds(meter, name, "Duration of GenAI client operation")
            for operation, name in table.duration.items()
        }
        self._first_chunk = _seconds(meter, table.first_chunk, "Time to receive the first chunk")
        self._chunk = _seconds(meter, table.chunk, "Time per output chunk, for each chunk after the first one")
        self._usage = None if table.usage is None else _tokens(meter, table.usage)
        self._distributions = {key: _tokens(meter, name) for key, name in table.distributions.items()}
        self._counters = {
            kind: meter.create_counter(name, unit="{token}", description=f"Tokens used: {kind}")
            for kind, name in table.counters.items()
        }
        self._call = _seconds(meter, Mlo.CALL_DURATION, "Duration of a routed call, all attempts included")
        self._cost = meter.create_counter(
            Mlo.COST, unit="n{currency}", description="Cost in billionths of the currency"
        )
        meter.create_observable_counter(
            Mlo.DROPPED, [self._observe_lost], unit="{item}", description="Spans and events that never arrived"
        )

    def attempt(self, operation: str, labels: _Labels, elapsed: float, usage: Usage, context: Context) -> None:
        """An attempt ended."""
        self._duration[operation].record(elapsed, labels, context)
        for kind, count in _counts(usage, operation):
            self._count(operation, kind, count, labels, context)
        if usage.cost is not None:
            self._spent(usage.cost, labels)

    def first_chunk(self, elapsed: float, labels: _Labels, context: Context) -> None:
        """A stream has begun to speak."""
        self._first_chunk.record(elapsed, labels, context)

    def chunk(self, elapsed: float, labels: _Labels, context: Context) -> None:
        """It has said one thing more."""
        self._chunk.record(elapsed, labels, context)

    def call(self, elapsed: float, labels: _Labels, context: Context) -> None:
        """A call ended."""
        self._call.record(elapsed, labels, context)

    def _count(self, operation: str, kind: Kind, count: int, labels: _Labels, context: Context) -> None:
        if self._usage is not None and kind in {"input", "output"}:
            self._usage.record(count, {**labels, Gen.TOKEN_TYPE: kind}, context)
        distribution = self._distributions.get((operation, kind))
        if distribution is not None:
            distribution.record(count, labels, context)
        counter: Counter | None = self._counters.get(kind) if operation == CHAT else None
        if counter is not None:
            counter.add(count, {**labels, Gen.TOKEN_MODALITY: "unknown"}, context)

    def _spent(self, cost: Money, labels: _Labels) -> None:
        if cost.nano >= 0:  # a counter does not go back
            self._cost.add(cost.nano, {**labels, Mlo.CURRENCY: cost.currency})

    def _observe_lost(self, _options: CallbackOptions) -> Iterable[Observation]:
        for (signal, reason), count in self._lost().items():
            yield Observation(count, {Mlo.SIGNAL: signal, Mlo.REASON: reason})


def _counts(usage: Usage, operation: str) -> Iterable[tuple[Kind, int]]:
    if usage.prompt_tokens is not None:
        yield "input", usage.prompt_tokens
    if usage.completion_tokens is not None and operation != EMBEDDINGS:
        yield "output", usage.completion_tokens
    if usage.cached_tokens:
        yield "cache_read", usage.cached_tokens
    if usage.reasoning_tokens:
        yield "reasoning", usage.reasoning_tokens


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(
        name, unit="s", description=description, explicit_bucket_boundaries_advisory=DURATION_BUCKETS
    )


def _tokens(meter: Meter, name: str) -> Histogram:
    return meter.create_histogram(
        name,
        unit="{token}",
        description="Number of input and output tokens used by GenAI clients",
        explicit_bucket_boundaries_advisory=TOKEN_BUCKETS,
    )
