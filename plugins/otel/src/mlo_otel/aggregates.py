"""Counters and histograms that cost next to nothing to record, and become OpenTelemetry's data when they are sent.

Always cumulative. Labels are tuples of values in the order of the instrument's names; ``None`` leaves a label out.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import time_ns
from typing import Any, TypeAlias

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .attributes import clean

__all__ = ["Counter", "Histogram", "Labels", "Registry"]

Labels: TypeAlias = tuple[str | None, ...]
_SERIES = 2_000  # per instrument; the SDK's own limit
_OVERFLOW = {"otel.metric.overflow": True}
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class _Series:
    __slots__ = ("counts", "highest", "lowest", "number", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.number = 0
        self.total: float = 0
        self.lowest = float("inf")
        self.highest = float("-inf")


class Histogram:
    """How values are distributed over ``bounds``."""

    def __init__(self, name: str, unit: str, description: str, names: Sequence[str], bounds: Sequence[float]) -> None:
        self.name, self.unit, self.description = name, unit, description
        self._names = names
        self._bounds = tuple(bounds)
        self._lock = threading.RLock()
        self._series: dict[Labels, _Series] = {}

    def record(self, value: float, labels: Labels) -> None:
        """One value."""
        with self._lock:
            series = self._series.get(labels)
            if series is None:
                if len(self._series) >= _SERIES:
                    labels = ()
                series = self._series.setdefault(labels, _Series(len(self._bounds) + 1))
            series.counts[bisect_left(self._bounds, value)] += 1
            series.number += 1
            series.total += value
            series.lowest = min(series.lowest, value)
            series.highest = max(series.highest, value)

    def data(self, since: int, now: int) -> Metric | None:
        """All so far."""
        with self._lock:
            points = [
                HistogramDataPoint(
                    attributes=_named(self._names, labels),
                    start_time_unix_nano=since,
                    time_unix_nano=now,
                    count=series.number,
                    sum=series.total,
                    bucket_counts=tuple(series.counts),
                    explicit_bounds=self._bounds,
                    min=series.lowest,
                    max=series.highest,
                )
                for labels, series in self._series.items()
            ]
        data = HistogramData(data_points=points, aggregation_temporality=_CUMULATIVE)
        return Metric(self.name, self.description, self.unit, data) if points else None


class Counter:
    """A sum that only grows."""

    def __init__(self, name: str, unit: str, description: str, names: Sequence[str]) -> None:
        self.name, self.unit, self.description = name, unit, description
        self._names = names
        self._lock = threading.RLock()
        self._sums: dict[Labels, int] = {}

    def add(self, value: int, labels: Labels) -> None:
        """``value`` more."""
        with self._lock:
            if labels not in self._sums and len(self._sums) >= _SERIES:
                labels = ()
            self._sums[labels] = self._sums.get(labels, 0) + value

    def data(self, since: int, now: int) -> Metric | None:
        """All so far."""
        with self._lock:
            return _sum(
                self, [(_named(self._names, labels), value) for labels, value in self._sums.items()], since, now
            )


class _Observed:
    """A counter that somebody else keeps."""

    def __init__(
        self, name: str, unit: str, description: str, observe: Callable[[], Iterable[tuple[Mapping[str, str], int]]]
    ) -> None:
        self.name, self.unit, self.description = name, unit, description
        self._observe = observe

    def data(self, since: int, now: int) -> Metric | None:
        return _sum(self, self._observe(), since, now)


class Registry:
    """The instruments of one observer."""

    def __init__(self, resource: Resource, scope: InstrumentationScope) -> None:
        self._resource = resource
        self._scope = scope
        self._since = time_ns()
        self._instruments: list[Histogram | Counter | _Observed] = []

    def histogram(
        self, name: str, unit: str, description: str, names: Sequence[str], bounds: Sequence[float]
    ) -> Histogram:
        """A new one, or the one that has this name already."""
        for known in self._instruments:
            if known.name == name and isinstance(known, Histogram):
                return known
        made = Histogram(name, unit, description, names, bounds)
        self._instruments.append(made)
        return made

    def counter(self, name: str, unit: str, description: str, names: Sequence[str]) -> Counter:
        """A new one."""
        made = Counter(name, unit, description, names)
        self._instruments.append(made)
        return made

    def observed(
        self, name: str, unit: str, description: str, observe: Callable[[], Iterable[tuple[Mapping[str, str], int]]]
    ) -> None:
        """A counter whose values ``observe`` gives when they are sent."""
        self._instruments.append(_Observed(name, unit, description, observe))

    def data(self) -> MetricsData | None:
        """Everything there is to send; ``None`` for nothing."""
        now = time_ns()
        metrics = [metric for each in self._instruments if (metric := each.data(self._since, now)) is not None]
        if not metrics:
            return None
        schema = self._scope.schema_url or ""
        scoped = ScopeMetrics(scope=self._scope, metrics=metrics, schema_url=schema)
        resource = ResourceMetrics(
            resource=self._resource, scope_metrics=[scoped], schema_url=self._resource.schema_url
        )
        return MetricsData(resource_metrics=[resource])


def _sum(
    instrument: Counter | _Observed, values: Iterable[tuple[Mapping[str, Any], int]], since: int, now: int
) -> Metric | None:
    points = [NumberDataPoint(attributes, since, now, value) for attributes, value in values]
    data = Sum(data_points=points, aggregation_temporality=_CUMULATIVE, is_monotonic=True)
    return Metric(instrument.name, instrument.description, instrument.unit, data) if points else None


def _named(names: Sequence[str], labels: Labels) -> Mapping[str, Any]:
    if not labels:
        return _OVERFLOW
    return clean({name: value for name, value in zip(names, labels, strict=True) if value is not None})
