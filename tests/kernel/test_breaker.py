from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mlo._breaker import Breaker, BreakerState
from mlo._budget import RetryBudget
from mlo.settings import BreakerSettings


class BreakerMachine(RuleBasedStateMachine):
    """Attempts come and go in any order while time passes."""

    @initialize(failures=st.integers(1, 4))
    def begin(self, failures: int) -> None:
        self.settings = BreakerSettings(failures=failures, open_for=10.0, max_open_for=40.0)
        self.heard: list[BreakerState] = []
        self.hinting = False
        self.own = False  # whether this breaker has found out itself that the target is ill
        self.breaker = Breaker(self.settings, self.hear)
        self.now = 100.0
        self.attempts: list[BreakerState] = []
        self.in_a_row = 0

    def hear(self, state: BreakerState, hinted: bool) -> None:
        self.heard.append(state)
        assert hinted is self.hinting

    @rule(open_for=st.sampled_from([-1.0, 0.0, 5.0, 1000.0]))
    def hint(self, open_for: float) -> None:
        before = self.breaker.state, self.breaker.retry_in(self.now)
        self.hinting = True
        self.breaker.hint(self.now, open_for)
        self.hinting = False
        after = self.breaker.state, self.breaker.retry_in(self.now)
        if self.own or before[0] == "half-open":
            assert after == before
        elif open_for <= 0:
            assert after == ("closed", 0.0)
        else:
            assert after == ("open", max(before[1], min(open_for, 40.0)))

    @rule(seconds=st.sampled_from([0.0, 1.0, 10.0, 50.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def enter(self) -> None:
        promised = self.breaker.retry_in(self.now) == 0.0
        assert self.breaker.enter(self.now) is promised
        if promised:
            self.own = False
            self.attempts.append(self.breaker.state)

    @precondition(lambda self: self.attempts)
    @rule()
    def succeed(self) -> None:
        state = self.attempts.pop()
        self.breaker.succeeded()
        self.in_a_row = 0
        if state == "half-open":
            assert self.breaker.state == "closed"

    @precondition(lambda self: self.attempts)
    @rule()
    def fail(self) -> None:
        state = self.attempts.pop()
        self.breaker.failed(self.now)
        self.in_a_row += 1
        if state == "half-open":
            assert self.breaker.state == "open"
        self.own = state == "half-open" or self.own or self.in_a_row >= self.settings.failures

    @precondition(lambda self: self.attempts)
    @rule()
    def give_up(self) -> None:
        self.attempts.pop()
        self.breaker.inconclusive()

    @invariant()
    def opens_exactly_after_enough_failures(self) -> None:
        if hasattr(self, "breaker") and self.in_a_row >= self.settings.failures:
            assert self.breaker.state != "closed"

    @invariant()
    def never_waits_longer_than_allowed(self) -> None:
        if hasattr(self, "breaker"):
            assert 0.0 <= self.breaker.retry_in(self.now) <= self.settings.max_open_for

    @invariant()
    def tells_each_change_once(self) -> None:
        if hasattr(self, "breaker"):
            assert all(one != other for one, other in zip(self.heard, self.heard[1:], strict=False))
            assert (self.heard[-1] if self.heard else "closed") == self.breaker.state


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase


def _tripped() -> Breaker:
    breaker = Breaker(BreakerSettings(failures=1, open_for=10.0, max_open_for=30.0))
    breaker.enter(0.0)
    breaker.failed(0.0)
    return breaker


def test_lets_one_probe_through_when_the_pause_is_over() -> None:
    breaker = _tripped()
    assert [breaker.enter(9.9), breaker.enter(10.0), breaker.enter(10.0)] == [False, True, False]


def test_an_inconclusive_probe_makes_room_for_another() -> None:
    breaker = _tripped()
    assert breaker.enter(10.0)
    breaker.inconclusive()
    assert breaker.enter(10.0)


def test_the_pause_doubles_while_probes_fail_up_to_a_limit() -> None:
    breaker = _tripped()
    now, pauses = 0.0, []
    for _ in range(4):
        pauses.append(breaker.retry_in(now))
        now += pauses[-1]
        assert breaker.enter(now)
        breaker.failed(now)
    assert pauses == [10.0, 20.0, 30.0, 30.0]


def test_a_hint_ends_with_a_probe() -> None:
    breaker = Breaker(BreakerSettings(failures=3, open_for=10.0))
    breaker.hint(0.0, 5.0)
    assert [breaker.enter(4.9), breaker.enter(5.0), breaker.enter(5.0)] == [False, True, False]
    breaker.succeeded()
    assert breaker.state == "closed"


def test_a_probe_after_a_hint_that_fails_is_first_hand() -> None:
    breaker = Breaker(BreakerSettings(failures=3, open_for=10.0))
    breaker.hint(0.0, 5.0)
    assert breaker.enter(5.0)
    breaker.failed(5.0)
    breaker.hint(5.0, 0.0)
    assert (breaker.state, breaker.retry_in(5.0)) == ("open", 10.0)


def test_a_hint_does_not_shorten_nor_lengthen_what_was_found_out_here() -> None:
    breaker = _tripped()
    for open_for in (0.0, 1.0, 1000.0, float("nan")):
        breaker.hint(0.0, open_for)
        assert (breaker.state, breaker.retry_in(0.0)) == ("open", 10.0)


def test_a_hint_that_is_no_number_changes_nothing() -> None:
    breaker = Breaker(BreakerSettings())
    breaker.hint(0.0, float("nan"))
    assert breaker.enter(0.0)


def test_a_success_starts_the_count_anew() -> None:
    breaker = Breaker(BreakerSettings(failures=2))
    for outcome in (breaker.failed, lambda _now: breaker.succeeded(), breaker.failed):
        breaker.enter(0.0)
        outcome(0.0)
    assert breaker.state == "closed"


def test_the_budget_allows_a_share_of_calls_beyond_its_reserve() -> None:
    budget = RetryBudget(ratio=0.5, reserve=2.0)
    assert [budget.withdraw() for _ in range(3)] == [True, True, False]
    budget.deposit()
    assert not budget.withdraw()
    budget.deposit()
    assert budget.withdraw()


def test_the_budget_never_holds_more_than_its_reserve() -> None:
    budget = RetryBudget(ratio=1.0, reserve=3.0)
    for _ in range(100):
        budget.deposit()
    assert budget.tokens == 3.0
