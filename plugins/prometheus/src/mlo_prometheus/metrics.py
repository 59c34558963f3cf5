"""A registry of its own with metrics in it, and what a scrape of it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from threading import RLock
from typing import cast

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from .catalogue import BY_NAME, CATALOGUE, DURATIONS, Feeder, Kind, Metric
from .families import Family, Series
from .labels import Vocabulary
from .series import Counter, Gauge, Histogram

__all__ = ["Metrics"]


class Metrics:
    """Metrics by name. ``labels`` and ``series`` as in :class:`~mlo_prometheus.config.PrometheusConfig`."""

    def __init__(self, *, labels: int, series: int, process: bool = False) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._most_labels, self._most_series = labels, series
        self._vocabularies: dict[str, Vocabulary] = {}
        self._families: dict[str, Family[Series]] = {}
        self._lock = RLock()
        self._folded = self.counter("mlo_labels_folded_total")
        if process:
            ProcessCollector(registry=self._registry)

    def counter(self, name: str, *, help: str = "", labels: Sequence[str] = ()) -> Family[Counter]:  # noqa: A002
        """The counter ``name``, which must end in ``_total``.

        What the catalogue has keeps its help and its labels. A name is asked for as often as one likes.

        Raises:
            ValueError: when the name is taken by a metric of another kind or with other labels, or is no name.
        """
        metric = _declared(name, "counter", help, labels)
        if not name.endswith("_total"):
            message = f"counter {name!r}: the name of a counter ends in _total"
            raise ValueError(message)
        return cast("Family[Counter]", self._family(metric, Counter))

    def declare(self, feeders: AbstractSet[Feeder]) -> None:
        """Show that the catalogue's metrics of these feeders exist, though nothing has been counted yet."""
        kinds = {"counter": self.counter, "gauge": self.gauge, "histogram": self.histogram}
        for metric in CATALOGUE:
            if metric.feeder in feeders:
                kinds[metric.kind](metric.name)

    def gauge(self, name: str, *, help: str = "", labels: Sequence[str] = ()) -> Family[Gauge]:  # noqa: A002
        """The gauge ``name``. Raises ``ValueError`` as :meth:`counter` does."""
        return cast("Family[Gauge]", self._family(_declared(name, "gauge", help, labels), Gauge))

    def histogram(
        self,
        name: str,
        *,
        help: str = "",  # noqa: A002
        labels: Sequence[str] = (),
        buckets: Sequence[float] = DURATIONS,
    ) -> Family[Histogram]:
        """The histogram ``name`` with ascending boundaries. Raises ``ValueError`` as :meth:`counter` does."""
        metric = _declared(name, "histogram", help, labels, buckets)
        if list(metric.buckets) != sorted(set(metric.buckets)):
            message = f"histogram {name!r}: its boundaries must ascend"
            raise ValueError(message)
        return cast("Family[Histogram]", self._family(metric, partial(Histogram, metric.buckets)))

    def add_gauge(
        self,
        name: str,
        read: Callable[[], float | None],
        *,
        help: str = "",  # noqa: A002
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Show what ``read`` says at each scrape (``None``: nothing), from any thread.

        It replaces whatever the gauge with these labels showed before. Raises ``ValueError`` as :meth:`counter` does.
        """
        given = labels or {}
        family = self.gauge(name, help=help, labels=tuple(given))
        family.labels(*[given[label] for label in family.metric.labels]).source = read

    def vocabulary(self, label: str) -> Vocabulary:
        """The values of a label, which all metrics that have it share."""
        known = self._vocabularies.get(label)
        return known or self._vocabularies.setdefault(label, Vocabulary(self._most_labels))

    def exposition(self, accept: str | None = None, /) -> tuple[str, bytes]:
        """Content type and text for a client with that ``Accept`` header: OpenMetrics or Prometheus' own format.

        To be called from a thread: gauges of others are read meanwhile.
        """
        for label, known in self._vocabularies.copy().items():
            if known.folded:
                self._folded.labels(label).value = known.folded
        encode, content_type = choose_encoder(accept or "")
        return content_type, encode(self._registry)

    def _family(self, metric: Metric, make: Callable[[], Series]) -> Family[Series]:
        with self._lock:
            known = self._families.get(metric.name)
            if known is None:
                known = Family[Series](metric, make, self.vocabulary, self._most_series)
                self._registry.register(known)
                self._families[metric.name] = known
        _demand_the_same(known.metric, metric)
        return known


def _declared(name: str, kind: Kind, text: str, labels: Sequence[str], buckets: Sequence[float] = ()) -> Metric:
    asked = Metric(name=name, kind=kind, help=text or name, labels=tuple(labels), buckets=tuple(buckets))
    known = BY_NAME.get(name)
    if known is None:
        return asked
    if labels:
        _demand_the_same(known, asked)
    elif known.kind != kind:
        raise _taken(known)
    return known


def _demand_the_same(known: Metric, asked: Metric) -> None:
    if known.kind != asked.kind or set(known.labels) != set(asked.labels):
        raise _taken(known)


def _taken(known: Metric) -> ValueError:
    labels = ", ".join(known.labels) or "none"
    return ValueError(f"metric {known.name!r} is a {known.kind} already, and its labels are: {labels}")
