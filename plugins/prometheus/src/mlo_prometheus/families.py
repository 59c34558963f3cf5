"""A metric with all its series: bounded in number, and a collector as ``prometheus-client`` knows them."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from typing import Generic, TypeAlias, TypeVar

import prometheus_client
from prometheus_client.registry import Collector

from .catalogue import CLOSED, Metric
from .labels import OTHER, Vocabulary
from .series import Counter, Gauge, Histogram

__all__ = ["Family", "Series"]

Series: TypeAlias = Counter | Gauge | Histogram
S = TypeVar("S", bound=Series)

_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_log = logging.getLogger("mlo.prometheus")


class Family(Collector, Generic[S]):
    """All series of ``metric``, made by ``make`` when their labels are first used.

    ``vocabulary`` gives the vocabulary of a label. Beyond ``limit`` series, labels whose values come from outside fall
    together to ``_other``.

    Raises:
        ValueError: when a label's name is none.
    """

    def __init__(
        self, metric: Metric, make: Callable[[], S], vocabulary: Callable[[str], Vocabulary], limit: int
    ) -> None:
        for name in metric.labels:
            if not _LABEL.fullmatch(name):
                message = f"metric {metric.name!r}: {name!r} is no name for a label"
                raise ValueError(message)
        self.metric = metric
        self._make = make
        self._limit = limit
        self._vocabularies = [vocabulary(name) for name in metric.labels]
        self._series: dict[tuple[str, ...], S] = {}
        self._lock = RLock()
        if not metric.labels:
            self.labels()  # a metric without labels is there from the start

    def labels(self, *values: str) -> S:
        """The series with these values of the labels, in their order.

        Raises:
            ValueError: when there are more or fewer values than labels.
        """
        pairs = zip(self._vocabularies, values, strict=True)
        key = tuple([vocabulary.of(value) for vocabulary, value in pairs])
        series = self._series.get(key)
        return series if series is not None else self._add(key)

    def discard(self, *, goes: Callable[[tuple[str, ...]], bool]) -> None:
        """Forget the series whose label values ``goes``."""
        with self._lock:
            self._series = {key: series for key, series in self._series.items() if not goes(key)}

    def collect(self) -> Iterator[prometheus_client.Metric]:
        """What a scrape shows."""
        family = self._empty()
        with self._lock:
            known = list(self._series.items())
        for values, series in known:
            labels = dict(zip(self.metric.labels, values, strict=True))
            for suffix, extra, value in _samples(self.metric, series):
                family.add_sample(family.name + suffix, labels | extra, value)
        yield family

    def describe(self) -> Iterable[prometheus_client.Metric]:
        """Which names are taken."""
        return [self._empty()]

    def _empty(self) -> prometheus_client.Metric:
        metric = self.metric
        name = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
        return prometheus_client.Metric(name, metric.help, metric.kind)

    def _add(self, key: tuple[str, ...]) -> S:
        with self._lock:
            if len(self._series) >= self._limit and key not in self._series:
                labels = zip(self.metric.labels, key, strict=True)
                key = tuple([value if name in CLOSED else OTHER for name, value in labels])
            return self._series.setdefault(key, self._make())


def _samples(metric: Metric, series: Series) -> Iterator[tuple[str, dict[str, str], float]]:
    """Suffix of the name, further labels and value of each line."""
    match series:
        case Counter():
            yield "_total", {}, series.value / metric.scale
        case Gauge():
            value = _looked_at(metric, series)
            if value is not None:
                yield "", {}, value
        case Histogram():
            counts, total = series.read()
            for bound, count in zip((*metric.buckets, math.inf), counts, strict=True):
                yield "_bucket", {"le": "+Inf" if bound == math.inf else repr(float(bound))}, count
            yield "_count", {}, counts[-1]
            yield "_sum", {}, total


def _looked_at(metric: Metric, gauge: Gauge) -> float | None:
    try:
        return gauge.value
    except Exception:  # noqa: BLE001 - a border: one gauge that cannot be read must not hide all other metrics
        _log.warning("metric %r cannot be read and is left out of this scrape", metric.name, exc_info=True)
        return None
