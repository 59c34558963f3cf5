"""Names and boundaries against OpenTelemetry's own helper; the documentation against the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import metrics_reference
import pytest
from attrs import frozen
from opentelemetry.util.genai._instruments import _Instruments

from mlo_prometheus.catalogue import BY_NAME, CATALOGUE
from mlo_prometheus.metrics import Metrics
from tests.house.sources import ROOT
from tests.plugins.prometheus.scrapes import names

_SUFFIXES = {"s": "_seconds", "{token}": ""}  # how the translation writes units; what is in braces is a remark


@frozen
class Instrument:
    """What a meter was asked for."""

    name: str
    buckets: tuple[float, ...]


class Meter:
    """Remembers which histograms it was asked for."""

    def __init__(self) -> None:
        self.made: dict[str, Instrument] = {}

    def create_histogram(
        self, *, name: str, description: str, unit: str, explicit_bucket_boundaries_advisory: Sequence[float]
    ) -> Instrument:
        assert description
        translated = name.replace(".", "_") + _SUFFIXES[unit]
        self.made[translated] = Instrument(
            translated, tuple(float(each) for each in explicit_bucket_boundaries_advisory)
        )
        return self.made[translated]


TRANSLATED = sorted(metric.name for metric in CATALOGUE if metric.translated)


@pytest.mark.parametrize("name", TRANSLATED)
def test_names_and_boundaries_are_those_of_the_conventions(name: str) -> None:
    meter: Any = Meter()
    _Instruments(meter)
    assert meter.made[name].buckets == BY_NAME[name].buckets


def test_all_client_metrics_of_the_conventions_are_here() -> None:
    meter: Any = Meter()
    _Instruments(meter)
    assert {name for name in meter.made if name.startswith("gen_ai_client_")} == set(TRANSLATED)


def test_labels_are_few_and_never_a_person() -> None:
    labels = {label for metric in CATALOGUE for label in metric.labels}
    assert labels == {
        *("provider", "model", "operation", "status", "project", "outcome", "type", "currency", "scope", "label"),
        *("from", "to", "reason", "target", "error_type"),
        *("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"),
    }


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_every_metric_is_said_in_both_languages_and_documented(metric: Any) -> None:
    assert metric.help
    assert any("а" <= letter <= "я" for letter in metric.ru)
    for language in ("en", "ru"):
        assert f"`{metric.name}`" in (ROOT / "docs" / language / "reference" / "metrics.md").read_text()


def test_every_metric_of_the_catalogue_can_be_on_a_page() -> None:
    metrics = Metrics(labels=1, series=1)
    metrics.declare({"observer", "chunks", "gateway", "ledger"})
    assert names(metrics) == set(BY_NAME)


def test_the_reference_page_is_current() -> None:
    assert metrics_reference.main(["--check"]) == 0
