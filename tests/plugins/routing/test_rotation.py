from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.api import Strategy
from mlo.models import Price
from mlo.requests import ChatRequest
from mlo.routing import Target
from mlo_routing.options import NoOptions, RandomOptions, WeightedOptions
from mlo_routing.plugin import mlo_strategies
from mlo_routing.rotation import RandomOrder, RoundRobin, Weighted
from mlo_sdk.testing import FakeStats, failed, succeeded, target
from tests.plugins.routing.walks import order, order_now

SPECS = {spec.name: spec for spec in mlo_strategies()}
ASK = ChatRequest.of("Привет")
NAMES = st.lists(st.from_regex(r"[a-z]{1,6}(:[a-z0-9/.-]{1,8})?", fullmatch=True), min_size=1, max_size=8, unique=True)


def made(name: str) -> Strategy:
    spec: Any = SPECS[name]
    return spec.build(spec.config())  # type: ignore[no-any-return]


@st.composite
def targets(draw: st.DrawFn) -> list[Target]:
    prices = st.none() | st.builds(
        Price,
        prompt=st.integers(0, 10**12),
        completion=st.integers(0, 10**12),
        currency=st.sampled_from(["RUB", "USD"]),
    )
    stats = st.builds(FakeStats, in_flight=st.integers(0, 50), load=st.none() | st.floats(0, 1))
    return [target(name, price=draw(prices), stats=draw(stats)) for name in draw(NAMES)]


@pytest.mark.parametrize("name", sorted(SPECS))
@given(places=targets(), session=st.none() | st.text(max_size=10))
def test_each_target_is_proposed_exactly_once_while_all_fail(
    name: str, places: list[Target], session: str | None
) -> None:
    request = ChatRequest(messages=ASK.messages, metadata={} if session is None else {"session": session})
    strategy = made(name)
    for _ in range(3):
        assert Counter(order(strategy, request, places)) == Counter(place.name for place in places)


@given(NAMES, st.integers(1, 20))
def test_round_robin_starts_at_each_target_equally_often(names: list[str], rounds: int) -> None:
    places = [target(name) for name in names]
    strategy = RoundRobin(NoOptions())
    firsts = Counter(order_now(strategy, ASK, places)[0] for _ in range(rounds * len(names)))
    assert set(firsts.values()) == {rounds}


def test_round_robin_falls_over_cyclically() -> None:
    places = [target(name) for name in "abc"]
    strategy = RoundRobin()
    assert [order(strategy, ASK, places) for _ in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_round_robin_stays_fair_while_a_target_is_left_out() -> None:
    a, b, c = (target(name) for name in "abc")
    strategy = RoundRobin()
    firsts = Counter(order(strategy, ASK, [a, c] if number % 2 else [a, b, c])[0] for number in range(60))
    assert max(firsts.values()) - min(firsts.values()) <= 10


def test_round_robin_rotates_when_the_first_always_succeeds() -> None:
    places = [target("a"), target("b")]
    strategy = RoundRobin()
    assert [order(strategy, ASK, places, succeeded) for _ in range(3)] == [["a"], ["b"], ["a"]]


@given(NAMES, st.integers())
def test_random_repeats_itself_with_the_same_seed(names: list[str], seed: int) -> None:
    places = [target(name) for name in names]
    one, other = (RandomOrder(RandomOptions(seed=seed)) for _ in range(2))
    assert [order(one, ASK, places) for _ in range(5)] == [order(other, ASK, places) for _ in range(5)]


def test_random_comes_to_every_order() -> None:
    places = [target(name) for name in "abc"]
    strategy = RandomOrder(RandomOptions(seed=7))
    seen = Counter("".join(order(strategy, ASK, places)) for _ in range(600))
    assert len(seen) == 6
    assert min(seen.values()) > 60


def firsts_of(weights: dict[str, float], calls: int = 4000) -> Counter[str]:
    strategy = Weighted(WeightedOptions(weights=weights, seed=3))
    places = [target(name) for name in ("a", "b", "c")]
    return Counter(order_now(strategy, ASK, places)[0] for _ in range(calls))


def test_weights_are_shares_of_first_choices() -> None:
    firsts = firsts_of({"a": 6, "b": 3, "c": 1})
    assert {name: round(count / 4000, 1) for name, count in firsts.items()} == {"a": 0.6, "b": 0.3, "c": 0.1}


def test_a_target_without_a_weight_weighs_one() -> None:
    firsts = firsts_of({"a": 2, "b": 2})
    assert firsts["c"] / 4000 == pytest.approx(0.2, abs=0.03)


def test_weight_zero_is_a_last_resort() -> None:
    strategy = Weighted(WeightedOptions(weights={"a": 0, "b": 0}, seed=3))
    places = [target(name) for name in ("a", "b", "c")]
    assert {tuple(order(strategy, ASK, places)) for _ in range(50)} == {("c", "a", "b")}


def test_a_weight_may_name_the_provider_instance() -> None:
    strategy = Weighted(WeightedOptions(weights={"giga": 0, "giga:max": 5}, seed=3))
    places = [target("giga:lite"), target("giga:max")]
    assert {tuple(order(strategy, ASK, places)) for _ in range(20)} == {("giga:max", "giga:lite")}


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="weights must be numbers >= 0"):
        WeightedOptions(weights={"a": weight})


def test_a_weighted_order_goes_on_by_weight() -> None:
    strategy = Weighted(WeightedOptions(weights={"a": 100, "b": 10, "c": 0.1}, seed=3))
    places = [target(name) for name in ("c", "b", "a")]
    seen = Counter("".join(order(strategy, ASK, places, failed)) for _ in range(500))
    assert seen.most_common(1)[0][0] == "abc"
