"""Strategies say how likely their choices were: what they say is what happens."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlo._builtin import FirstAvailable
from mlo.api import Strategy
from mlo.models import Price
from mlo.requests import ChatRequest
from mlo.routing import Target
from mlo_routing.measured import LeastLatency
from mlo_routing.options import LeastLatencyOptions, RandomOptions, StickyOptions, WeightedOptions
from mlo_routing.plugin import mlo_strategies
from mlo_routing.rotation import RandomOrder, Weighted
from mlo_routing.sticky import Sticky
from mlo_sdk.testing import FakeStats, succeeded, target
from tests.plugins.routing.walks import steps

SPECS = {spec.name: spec for spec in mlo_strategies()}
ASK = ChatRequest.of("Привет")
SESSION = ChatRequest(messages=ASK.messages, metadata={"session": "s-1"})
CERTAIN = ("cascade", "cheapest", "hedged", "least-busy", "round-robin", "sticky")
WALKS = 1500
SIGMAS = 5


def places(count: int) -> list[Target]:
    return [target(name) for name in "abcdefgh"[:count]]


def check(strategy: Strategy, targets: Sequence[Target], *, first_only: bool = False) -> None:
    """Compare the frequency of each choice after the same beginning with the probability that is stated for it."""
    stated: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    seen: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for _ in range(WALKS):
        before: tuple[str, ...] = ()
        for step in steps(strategy, ASK, targets, succeeded) if first_only else steps(strategy, ASK, targets):
            name = step.targets[0].name
            assert step.probability is not None
            assert stated[before].setdefault(name, step.probability) == pytest.approx(step.probability)
            seen[before][name] += 1
            before = (*before, name)
    for before, counts in seen.items():
        total = counts.total()
        for name, count in counts.items():
            chance = stated[before][name]
            bound = SIGMAS * math.sqrt(chance * (1 - chance) / total) + 1e-9
            if total >= 200:
                assert abs(count / total - chance) <= bound, (before, name, count / total, chance)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_random_order(count: int) -> None:
    check(RandomOrder(RandomOptions(seed=count)), places(count))


def test_sticky_without_a_key_is_a_random_order() -> None:
    check(Sticky(StickyOptions(seed=1)), places(3))


@given(weights=st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 10.0]), min_size=1, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=12)
def test_weights(weights: list[float], seed: int) -> None:
    targets = places(len(weights))
    named = {place.name: weight for place, weight in zip(targets, weights, strict=True)}
    strategy = Weighted(WeightedOptions(weights=named, seed=seed))
    check(strategy, targets)
    assert steps(strategy, ASK, targets)[0].scores == named


@given(
    latencies=st.lists(st.sampled_from([0.1, 0.2, 0.5, 1.0]), min_size=1, max_size=5),
    in_flight=st.lists(st.integers(0, 2), min_size=5, max_size=5),
    seed=st.integers(0, 99),
)
@settings(max_examples=12)
def test_the_cheaper_of_two(latencies: list[float], in_flight: list[int], seed: int) -> None:
    targets = [target(name, stats=FakeStats()) for name in "abcde"[: len(latencies)]]
    by_name = dict(zip("abcde", latencies, strict=False))

    def answer(place: Target) -> Any:
        return succeeded(place, latency=by_name[place.name])

    strategy = LeastLatency(LeastLatencyOptions(seed=seed), clock=lambda: 0.0)
    for _ in targets:  # each is tried once, in the order of the route, with certainty
        (step,) = steps(strategy, ASK, targets, answer)
        assert step.probability == 1.0
    busy = [
        target(place.name, stats=FakeStats(in_flight=count)) for place, count in zip(targets, in_flight, strict=False)
    ]
    stated: dict[str, float] = {}
    seen: Counter[str] = Counter()
    for _ in range(WALKS):
        (step,) = steps(strategy, ASK, busy, answer)
        name = step.targets[0].name
        assert step.probability is not None
        stated[name] = step.probability
        seen[name] += 1
        assert step.scores == pytest.approx(
            {place.name: by_name[place.name] * (place.stats.in_flight + 1) for place in busy}
        )
    assert sum(stated.values()) == pytest.approx(1.0)
    for name, count in seen.items():
        bound = SIGMAS * math.sqrt(stated[name] * (1 - stated[name]) / WALKS) + 1e-9
        assert abs(count / WALKS - stated[name]) <= bound


def test_fallbacks_by_latency_are_certain() -> None:
    strategy = LeastLatency(LeastLatencyOptions(seed=0))
    targets = places(4)
    for _ in range(3):
        assert [step.probability for step in steps(strategy, ASK, targets)][1:] == [1.0] * 3


@pytest.mark.parametrize("name", CERTAIN)
def test_what_nothing_is_left_to_chance_in_is_certain(name: str) -> None:
    spec: Any = SPECS[name]
    strategy = spec.build(spec.config())
    assert {step.probability for _ in range(5) for step in steps(strategy, SESSION, places(4))} == {1.0}


def test_targets_in_order_are_certain() -> None:
    assert [step.probability for step in steps(FirstAvailable(), ASK, places(3))] == [1.0] * 3


def test_every_strategy_is_covered() -> None:
    assert set(SPECS) == {*CERTAIN, "random", "weighted", "least-latency"}


def test_scores_of_the_cheapest_are_prices() -> None:
    spec: Any = SPECS["cheapest"]
    strategy = spec.build(spec.config(completion_share=0.5))
    targets = [
        target("a", price=Price(prompt=4, completion=8)),
        target("b"),
        target("c", price=Price(prompt=2, completion=2)),
    ]
    proposed = steps(strategy, ASK, targets)
    assert [step.targets[0].name for step in proposed] == ["c", "a", "b"]
    assert all(step.scores == {"a": 6.0, "c": 2.0} for step in proposed)


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.floats(0, 1)), min_size=1, max_size=6))
def test_scores_of_the_least_busy_order_like_its_choices(stats: list[tuple[int, float | None]]) -> None:
    spec: Any = SPECS["least-busy"]
    targets = [
        target(name, stats=FakeStats(in_flight=count, load=load))
        for name, (count, load) in zip("abcdef", stats, strict=False)
    ]
    for step in steps(spec.build(spec.config()), ASK, targets):
        assert step.scores[step.targets[0].name] == min(step.scores.values())
