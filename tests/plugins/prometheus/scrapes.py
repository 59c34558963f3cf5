"""What a page of metrics says, read by the client library's own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from mlo_prometheus.config import PrometheusConfig
from mlo_prometheus.metrics import Metrics
from mlo_prometheus.observer import PrometheusObserver

__all__ = ["names", "observer", "series", "total", "value"]

Labels = tuple[tuple[str, str], ...]


def observer(**options: object) -> PrometheusObserver:
    """One without an endpoint."""
    return PrometheusObserver(PrometheusConfig(**{"listen": False, "process": False, **options}))  # type: ignore[arg-type]


def series(metrics: Metrics, name: str) -> dict[Labels, float]:
    """The samples of that name by their labels; empty labels are none, as for Prometheus."""
    content_type, page = metrics.exposition()
    assert content_type.startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if sample.name == name:
                found[tuple(sorted(pair for pair in sample.labels.items() if pair[1]))] = sample.value
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The sample with exactly these labels."""
    return series(metrics, name).get(tuple(sorted((key.rstrip("_"), each) for key, each in labels.items())))


def total(metrics: Metrics, name: str) -> float:
    """The sum of all samples of that name."""
    return sum(series(metrics, name).values())


def names(metrics: Metrics) -> set[str]:
    """Names of all metrics on the page, as its TYPE lines have them."""
    lines = metrics.exposition()[1].decode().splitlines()
    return {line.split()[2] for line in lines if line.startswith("# TYPE")}
