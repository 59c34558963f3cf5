from __future__ import annotations

import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ModelNotFound
from mlo.records import AttemptFailed, AttemptFinished, AttemptStarted, BreakerChanged, CallFinished, CallStarted
from mlo.responses import Usage
from mlo_prometheus.catalogue import CLOSED
from mlo_prometheus.labels import OTHER, Vocabulary
from mlo_prometheus.metrics import Metrics
from mlo_prometheus.observer import PrometheusObserver
from tests.plugins.prometheus.scrapes import observer, series, total, value

DISTINCT = int(os.environ.get("MLO_TEST_DISTINCT_VALUES", "4000"))
ANY = st.text(st.characters(), max_size=200)


def one_call(metrics: PrometheusObserver, number: int, *, model: str = "m", project: str = "p") -> None:
    call_id = f"c-{number}"
    metrics.on(CallStarted(call_id=call_id, route="r", operation="chat", metadata={"project": project}))
    metrics.on(AttemptStarted(call_id=call_id, attempt=1, target=f"a:{model}", provider="a", plugin="x", model=model))
    usage = Usage(prompt_tokens=1, completion_tokens=1)
    metrics.on(AttemptFinished(call_id=call_id, attempt=1, target=f"a:{model}", elapsed=0.1, usage=usage))
    metrics.on(CallFinished(call_id=call_id, route="r", status="ok", elapsed=0.1, attempts=1))


@given(st.lists(ANY), st.integers(1, 10))
def test_at_most_so_many_values_are_told_apart(values: list[str], limit: int) -> None:
    vocabulary = Vocabulary(limit)
    shown = [vocabulary.of(each) for each in values]
    assert len(set(shown) - {OTHER}) <= limit
    assert vocabulary.folded >= shown.count(OTHER) - values.count(OTHER)
    assert [vocabulary.of(each) for each in values[:1]] == shown[:1]


@given(st.lists(ANY, min_size=1, max_size=20))
def test_whatever_a_value_is_the_page_can_be_made_and_read(values: list[str]) -> None:
    metrics = Metrics(labels=10, series=10)
    for each in values:
        metrics.counter("x_total", labels=("model",)).labels(each).add()
    assert total(metrics, "x_total") == len(values)


@given(st.lists(st.tuples(ANY, ANY, ANY), max_size=30), st.integers(1, 8), st.integers(1, 8))
def test_no_observation_is_lost_to_the_bounds(values: list[tuple[str, str, str]], labels: int, most: int) -> None:
    metrics = Metrics(labels=labels, series=most)
    family = metrics.counter("x_total", labels=("model", "project", "status"))
    for each in values:
        family.labels(*each).add()
    found = series(metrics, "x_total")
    assert sum(found.values()) == len(values)
    assert len(found) <= most + labels + 1  # what is folded keeps its status


def test_a_label_of_ours_is_kept_when_the_metric_is_full() -> None:
    assert "status" in CLOSED
    metrics = Metrics(labels=100, series=1)
    family = metrics.counter("x_total", labels=("model", "status"))
    for model in ("a", "b", "c"):
        family.labels(model, "ok").add()
        family.labels(model, "error").add()
    assert value(metrics, "x_total", model=OTHER, status="error") == 3
    assert value(metrics, "x_total", model=OTHER, status="ok") == 2


def test_a_name_that_is_too_long_is_no_name() -> None:
    vocabulary = Vocabulary(10)
    assert vocabulary.of("x" * 129) == OTHER
    assert vocabulary.of("x" * 128) == "x" * 128


def test_folding_is_counted_by_label() -> None:
    metrics = observer(labels=2)
    for number in range(5):
        one_call(metrics, number, project=f"p-{number}")
    assert value(metrics, "mlo_labels_folded_total", label="project") == 3
    assert value(metrics, "mlo_labels_folded_total", label="model") is None


def test_a_million_values_do_not_grow_memory() -> None:
    """Some thousands of them, or as many as the environment says: nothing is kept once the bounds are reached.

    What other threads and a coverage tool allocate meanwhile does not depend on the number of values.
    """
    metrics = observer(labels=5, series=20)
    for number in range(1_000):
        one_call(metrics, number, model=f"m-{number}", project=f"p-{number}")
    page = metrics.exposition()[1]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1_000, DISTINCT):
            one_call(metrics, number, model=f"m-{number}", project=f"p-{number}")
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 10_000 + 2 * DISTINCT
    assert abs(len(metrics.exposition()[1]) - len(page)) < 500
    assert total(metrics, "mlo_attempts_total") == DISTINCT


def test_models_that_do_not_exist_take_no_place() -> None:
    metrics = observer(labels=3)
    for number in range(5):
        name = f"invented-{number}"
        metrics.on(CallStarted(call_id=name, route="r", operation="chat"))
        metrics.on(AttemptStarted(call_id=name, attempt=1, target=f"a:{name}", provider="a", model=name))
        metrics.on(AttemptFailed(call_id=name, attempt=1, target=f"a:{name}", elapsed=0.1, error=ModelNotFound("?")))
        metrics.on(CallFinished(call_id=name, route="r", status="error", elapsed=0.1, attempts=1))
    one_call(metrics, 1, model="real")
    assert {dict(key)["model"] for key in series(metrics, "mlo_attempts_total")} == {OTHER, "real"}


def test_breakers_of_targets_that_are_not_told_apart_are_not_shown() -> None:
    metrics = observer(labels=2)
    for target in ("a", "b", "c", "d"):
        metrics.on(BreakerChanged(target=target, state="open"))
    assert series(metrics, "mlo_breaker_state") == {(("target", "a"),): 2, (("target", "b"),): 2}


@pytest.mark.parametrize("label", ["__name__", "0x", "a-b", ""])
def test_a_label_needs_a_name(label: str) -> None:
    with pytest.raises(ValueError, match="no name for a label"):
        Metrics(labels=1, series=1).counter("x_total", labels=(label,))
