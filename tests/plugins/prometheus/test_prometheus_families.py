from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo_prometheus.metrics import Metrics
from mlo_prometheus.series import Counter, Histogram
from tests.plugins.prometheus.scrapes import observer, series, value


def metrics() -> Metrics:
    return Metrics(labels=100, series=100)


@given(st.lists(st.integers(0, 10**18), max_size=50))
def test_money_is_summed_exactly(amounts: list[int]) -> None:
    counter = Counter()
    for nano in amounts:
        counter.add(nano)
    assert counter.value == sum(amounts)
    assert isinstance(counter.value, int)


@given(st.lists(st.floats(0, 1e6), max_size=50))
def test_a_histogram_counts_as_its_definition_says(values: list[float]) -> None:
    bounds = (0.0, 0.1, 1.0, 100.0)
    histogram = Histogram(bounds)
    for each in values:
        histogram.observe(each)
    counts, total = histogram.read()
    assert counts == [*(sum(each <= bound for each in values) for bound in bounds), len(values)]
    assert total == pytest.approx(sum(values))


def test_what_would_turn_a_counter_back_is_left_out() -> None:
    counter = Counter()
    for amount in (5, -3, float("nan"), 1):
        counter.add(amount)
    assert counter.value == 6


def test_a_metric_that_was_asked_for_twice_is_one() -> None:
    mine = metrics()
    mine.counter("x_total", labels=("a",)).labels("1").add()
    mine.counter("x_total", labels=("a",)).labels("1").add(2)
    assert value(mine, "x_total", a="1") == 3


def test_the_catalogue_knows_help_and_labels() -> None:
    mine = metrics()
    mine.counter("mlo_rate_limited_total").labels("project").add()
    assert value(mine, "mlo_rate_limited_total", scope="project") == 1
    assert b"# HELP mlo_rate_limited_total Requests that a rate limit turned away" in mine.exposition()[1]


@pytest.mark.parametrize(
    ("kind", "name", "labels"),
    [
        ("gauge", "x_total", ("a",)),
        ("counter", "x_total", ("b",)),
        ("histogram", "mlo_inflight", ()),
        ("gauge", "mlo_inflight", ("other",)),
    ],
)
def test_a_name_means_one_thing(kind: str, name: str, labels: tuple[str, ...]) -> None:
    mine = observer()
    mine.counter("x_total", labels=("a",))
    with pytest.raises(ValueError, match=rf"metric '{name}' is a \w+ already, and its labels are: "):
        getattr(mine, kind)(name, labels=labels)


def test_the_process_metrics_keep_their_names() -> None:
    mine = Metrics(labels=1, series=1, process=True)
    with pytest.raises(ValueError, match="Duplicated"):
        mine.gauge("process_open_fds")
    assert b"process_resident_memory_bytes" in mine.exposition()[1]


def test_a_counter_is_called_total() -> None:
    with pytest.raises(ValueError, match="ends in _total"):
        metrics().counter("x")


def test_boundaries_ascend() -> None:
    with pytest.raises(ValueError, match="ascend"):
        metrics().histogram("x", buckets=(2.0, 1.0))


def test_a_histogram_of_ones_own_has_its_boundaries() -> None:
    mine = metrics()
    mine.histogram("x_bytes", labels=("a",), buckets=(1, 2)).labels("k").observe(2)
    assert series(mine, "x_bytes_bucket") == {
        (("a", "k"), ("le", "+Inf")): 1,
        (("a", "k"), ("le", "1.0")): 0,
        (("a", "k"), ("le", "2.0")): 1,
    }


def test_a_gauge_is_read_when_somebody_looks() -> None:
    mine, state = metrics(), {"lag": 1.5}
    mine.add_gauge("mlo_ledger_lag_seconds", lambda: state["lag"])
    assert value(mine, "mlo_ledger_lag_seconds") == 1.5
    state["lag"] = 0.0
    assert value(mine, "mlo_ledger_lag_seconds") == 0.0


def test_a_gauge_of_ones_own_has_labels() -> None:
    mine = metrics()
    mine.add_gauge("mlo_budget_ratio", lambda: 0.25, help="Share spent", labels={"project": "p"})
    mine.add_gauge("mlo_budget_ratio", lambda: 0.5, labels={"project": "q"})
    assert value(mine, "mlo_budget_ratio", project="p") == 0.25
    assert value(mine, "mlo_budget_ratio", project="q") == 0.5


def test_unknown_is_not_zero() -> None:
    mine = metrics()
    mine.add_gauge("mlo_ledger_backlog", lambda: None)
    assert value(mine, "mlo_ledger_backlog") is None


def test_a_gauge_that_cannot_be_read_hides_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    mine = metrics()
    mine.add_gauge("mlo_ledger_lag_seconds", lambda: 1 / 0)
    mine.counter("x_total").labels().add()
    assert value(mine, "x_total") == 1
    assert value(mine, "mlo_ledger_lag_seconds") is None
    assert "mlo_ledger_lag_seconds" in caplog.text


def test_the_newest_source_of_a_gauge_counts() -> None:
    mine = metrics()
    for number in (1.0, 2.0):
        mine.add_gauge("mlo_ledger_backlog", lambda number=number: number)  # type: ignore[misc]
    assert value(mine, "mlo_ledger_backlog") == 2.0


def test_threads_lose_no_count_while_others_scrape() -> None:
    mine = metrics()
    counter, histogram = mine.counter("x_total").labels(), mine.histogram("y", buckets=(1.0,)).labels()

    def work() -> None:
        for number in range(2_000):
            counter.add()
            histogram.observe(number % 3)
            mine.gauge("z", labels=("a",)).labels(str(number % 7)).add()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        mine.exposition()
    assert value(mine, "x_total") == 8_000
    assert value(mine, "y_count") == 8_000
    assert sum(series(mine, "z").values()) == 8_000
