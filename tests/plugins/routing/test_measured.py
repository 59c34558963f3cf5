from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import AnswerRejected, RateLimited, Unsupported
from mlo.messages import Message
from mlo.models import Price
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse
from mlo.routing import Outcome, Target
from mlo_routing.measured import Cheapest, LeastBusy, LeastLatency
from mlo_routing.options import CheapestOptions, LeastLatencyOptions
from mlo_sdk.testing import FakeStats, failed, succeeded, target
from tests.plugins.routing.walks import order, order_now, steps

ASK = ChatRequest.of("Привет")
GIGA = 10**9


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def quickest(clock: Clock, **options: float) -> LeastLatency:
    return LeastLatency(LeastLatencyOptions(seed=1, **options), clock=clock)


def test_untried_targets_are_explored_first() -> None:
    clock, places = Clock(), [target(name) for name in "abc"]
    strategy = quickest(clock)
    assert [order_now(strategy, ASK, places)[0] for _ in range(3)] == ["a", "b", "c"]


def learned(clock: Clock, seconds: dict[str, float], **options: float) -> tuple[LeastLatency, list[Target]]:
    places = [target(name) for name in seconds]
    strategy = quickest(clock, **options)
    for _ in places:
        order(strategy, ASK, places, lambda place: succeeded(place, latency=seconds[place.name]))
    return strategy, places


def test_the_quicker_of_two_is_chosen() -> None:
    strategy, places = learned(Clock(), {"slow": 2.0, "quick": 0.2})
    assert {order_now(strategy, ASK, places)[0] for _ in range(20)} == {"quick"}


def test_the_slowest_of_many_is_never_first() -> None:
    seconds = {"slow": 5.0, "a": 0.2, "b": 0.3, "c": 0.4}
    strategy, places = learned(Clock(), seconds)
    firsts = Counter(
        order(strategy, ASK, places, lambda place: succeeded(place, latency=seconds[place.name]))[0] for _ in range(300)
    )
    assert firsts["slow"] == 0
    assert firsts["a"] > firsts["b"] > firsts["c"] > 0


def test_fallbacks_follow_by_latency() -> None:
    strategy, places = learned(Clock(), {"slow": 2.0, "middle": 1.0, "quick": 0.2})
    assert order(strategy, ASK, [places[0], places[2]]) == ["quick", "slow"]


def test_calls_under_way_count() -> None:
    strategy, places = learned(Clock(), {"a": 0.3, "b": 0.2})
    busy = target("b", stats=FakeStats(in_flight=3))
    assert order_now(strategy, ASK, [places[0], busy]) == ["a"]


def test_a_target_tried_for_the_first_time_right_now_is_not_rushed() -> None:
    strategy, places = learned(Clock(), {"a": 0.3})
    untried = target("new", stats=FakeStats(in_flight=1))
    assert order_now(strategy, ASK, [untried, places[0]]) == ["a"]


def test_a_failure_costs_more_than_any_usual_latency() -> None:
    clock, places = Clock(), [target("a"), target("b")]
    strategy = quickest(clock)
    order(strategy, ASK, places, lambda place: failed(place) if place.name == "a" else succeeded(place, latency=3.0))
    assert order_now(strategy, ASK, places)[0] == "b"


def test_retry_after_lengthens_the_penalty() -> None:
    clock, places = Clock(), [target("a"), target("b")]
    strategy = quickest(clock)
    waits = {"a": 60.0, "b": 20.0}
    order(strategy, ASK, places, lambda place: failed(place, RateLimited("slow down", retry_after=waits[place.name])))
    assert order(strategy, ASK, places) == ["b", "a"]


@pytest.mark.parametrize(
    "error", [Unsupported("no tools"), AnswerRejected("no", response=ChatResponse(message=Message.assistant("?")))]
)
def test_an_answer_that_does_not_fit_is_no_fault_of_the_target(error: Exception) -> None:
    strategy, places = learned(Clock(), {"a": 0.2, "b": 0.5})
    order(strategy, ASK, places, lambda place: failed(place, error, latency=0.2))
    assert order_now(strategy, ASK, places) == ["a"]


def test_a_slow_target_gets_another_chance_in_time() -> None:
    clock = Clock()
    strategy, places = learned(clock, {"slow": 4.0, "quick": 0.5}, half_life=10.0)
    chosen = []
    for _ in range(60):
        clock.now += 1.0
        chosen += order(strategy, ASK, places, lambda place: succeeded(place, latency=0.5))
    assert chosen[0] == "quick"
    assert "slow" in chosen


def test_a_stream_counts_by_its_first_event() -> None:
    clock, places = Clock(), [target("a"), target("b")]
    strategy = quickest(clock)

    def answer(place: Target) -> Outcome:
        first = {"a": 0.1, "b": 1.0}[place.name]
        return Outcome(target=place, latency=9.0 if place.name == "a" else 1.0, first_event=first)

    for _ in range(2):
        order(strategy, ASK, places, answer)
    assert order_now(strategy, ASK, places) == ["a"]


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.001, 100), st.floats(0, 1000), st.booleans()), max_size=30)
)
def test_whatever_is_measured_the_choice_is_sound(history: list[tuple[str, float, float, bool]]) -> None:
    clock = Clock()
    strategy = quickest(clock)
    for name, latency, pause, fine in history:
        clock.now += pause
        place = target(name)
        order(strategy, ASK, [place], lambda place, s=latency, ok=fine: (succeeded if ok else failed)(place, latency=s))  # type: ignore[misc]
    assert sorted(order(strategy, ASK, [target(name) for name in "abcd"])) == list("abcd")


def test_the_least_busy_comes_first_and_then_the_next() -> None:
    places = [target(name, stats=FakeStats(in_flight=busy)) for name, busy in (("a", 5), ("b", 0), ("c", 2))]
    assert order(LeastBusy(), ASK, places) == ["b", "c", "a"]


def test_reported_load_decides_between_equals() -> None:
    places = [target(name, stats=FakeStats(load=load)) for name, load in (("a", 0.9), ("b", 0.1))]
    assert {tuple(order(LeastBusy(), ASK, places)) for _ in range(4)} == {("b", "a")}


def test_idle_targets_take_turns() -> None:
    strategy, places = LeastBusy(), [target(name) for name in "abc"]
    assert [order_now(strategy, ASK, places)[0] for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_a_fallback_looks_at_the_load_of_that_moment() -> None:
    stats = {name: FakeStats(in_flight=busy) for name, busy in (("a", 0), ("b", 1), ("c", 2))}
    places = [target(name, stats=each) for name, each in stats.items()]

    def answer(place: Target) -> Outcome:
        stats["b"].in_flight = 9
        return failed(place)

    assert order(LeastBusy(), ASK, places, answer) == ["a", "c", "b"]


def test_the_cheapest_comes_first_and_the_unpriced_last() -> None:
    places = [
        target("unknown"),
        target("dear", price=Price(prompt=2000 * GIGA, completion=2000 * GIGA)),
        target("own", price=Price(prompt=0, completion=0)),
        target("cheap", price=Price(prompt=200 * GIGA, completion=200 * GIGA)),
    ]
    assert order(Cheapest(), ASK, places) == ["own", "cheap", "dear", "unknown"]


def test_the_blend_of_prompt_and_completion_decides() -> None:
    writes = target("writes", price=Price(prompt=300, completion=300))
    reads = target("reads", price=Price(prompt=100, completion=800))
    assert order(Cheapest(), ASK, [writes, reads]) == ["reads", "writes"]
    assert order(Cheapest(CheapestOptions(completion_share=0.5)), ASK, [reads, writes]) == ["writes", "reads"]


def test_embeddings_cost_their_prompt_alone() -> None:
    a = target("a", price=Price(prompt=200, completion=0))
    b = target("b", price=Price(prompt=100, completion=900))
    assert order(Cheapest(), EmbeddingRequest(texts=("раз",)), [a, b]) == ["b", "a"]


def test_currencies_compare_by_the_rates_given() -> None:
    rub = target("rub", price=Price(prompt=500, completion=500))
    usd = target("usd", price=Price(prompt=10, completion=10, currency="USD"))
    rates = CheapestOptions(rates={"RUB": 1, "USD": 90})
    assert order(Cheapest(rates), ASK, [usd, rub]) == ["rub", "usd"]


def test_without_rates_foreign_money_leaves_the_order_of_the_route() -> None:
    rub = target("rub", price=Price(prompt=500, completion=500))
    usd = target("usd", price=Price(prompt=10, completion=10, currency="USD"))
    assert order(Cheapest(), ASK, [rub, usd]) == ["rub", "usd"]
    assert order(Cheapest(), ASK, [usd, rub]) == ["usd", "rub"]


def test_one_foreign_currency_needs_no_rate() -> None:
    dear = target("dear", price=Price(prompt=50, completion=50, currency="USD"))
    cheap = target("cheap", price=Price(prompt=10, completion=10, currency="USD"))
    assert order(Cheapest(), ASK, [dear, cheap]) == ["cheap", "dear"]


@pytest.mark.parametrize("options", [{"half_life": 0.0}, {"penalty": -1.0}])
def test_impossible_latency_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be a number > 0"):
        LeastLatencyOptions(**options)  # type: ignore[arg-type]


def test_impossible_price_options_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        CheapestOptions(completion_share=1.5)
    with pytest.raises(ValueError, match="exchange rates"):
        CheapestOptions(rates={"USD": 0})


def test_a_step_has_one_target() -> None:
    for strategy in (quickest(Clock()), LeastBusy(), Cheapest()):
        assert [len(step.targets) for step in steps(strategy, ASK, [target("a"), target("b")])] == [1, 1]
