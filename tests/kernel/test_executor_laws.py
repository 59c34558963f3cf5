"""Laws of the executor that hold whatever the providers do: in virtual time on trio, in real time on asyncio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import anyio
import pytest
import trio.testing
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from mlo.api import Steps
from mlo.errors import (
    AttemptsExhausted,
    AuthFailed,
    CallError,
    ContentBlocked,
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    StreamInterrupted,
    TransportFailed,
)
from mlo.events import TextDelta
from mlo.records import (
    AttemptFailed,
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    FirstEvent,
)
from mlo.routing import Request, Step, Target
from mlo.settings import BreakerSettings, RetrySettings, Settings
from tests.kernel.harness import OBSERVED, routing
from tests.kernel.scripted import Act, Recorder, Scripted

FATAL = (InvalidRequest, AuthFailed, ContentBlocked)
PASSING = (RateLimited, Overloaded, ServerFault, TransportFailed)
EPSILON = 1e-6


class Hedge:
    """All targets in one race."""

    def __init__(self, stagger: float) -> None:
        self.stagger = stagger

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        yield Step(tuple(targets), stagger=self.stagger)


class InOrder:
    """One after the other."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        for target in targets:
            yield Step((target,))


class Held(InOrder):
    """One after the other, each answer looked at as a whole."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        for target in targets:
            yield Step((target,), accept=lambda response: len(response.text) > 0)


@frozen(kw_only=True)
class Case:
    scripts: tuple[tuple[Act, ...], ...]
    strategy: Callable[[], Any]
    rounds: int
    deadline: float | None
    attempt_timeout: float | None


_errors = st.sampled_from([*FATAL, *PASSING, QuotaExhausted])
_times = st.sampled_from([0.0, 0.0, 0.5, 2.0, 30.0])
_acts = st.builds(
    Act,
    before=_times,
    chunks=st.integers(0, 3),
    between=_times,
    error=st.none() | _errors.map(lambda kind: kind("as scripted")),
    started=st.booleans(),
    finished=st.sampled_from([True, True, True, False]),
)
_cases = st.builds(
    Case,
    scripts=st.lists(st.lists(_acts, min_size=1, max_size=3).map(tuple), min_size=1, max_size=4).map(tuple),
    strategy=st.sampled_from([InOrder, Held, lambda: Hedge(0.0), lambda: Hedge(0.3)]),
    rounds=st.integers(1, 3),
    deadline=st.sampled_from([None, None, 1.0, 7.0]),
    attempt_timeout=st.sampled_from([None, 1.5]),
)


@frozen(kw_only=True)
class Played:
    providers: tuple[Scripted, ...]
    recorder: Recorder
    received: str
    text: str | None
    error: Exception | None
    took: float


async def _play(case: Case, *, stream: bool) -> Played:
    providers = tuple(Scripted(f"p{number}", list(script)) for number, script in enumerate(case.scripts))
    recorder = Recorder()
    received: list[str] = []
    text, error = None, None
    started = anyio.current_time()
    route = {
        "strategy": case.strategy(),
        "retry": RetrySettings(rounds=case.rounds, base=0.1, cap=0.4),
        "deadline": case.deadline,
        "attempt_timeout": case.attempt_timeout,
    }
    patient = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=1000))
    async with routing(*providers, recorder=recorder, settings=patient, **route) as router:
        try:
            if stream:
                async with router.route_stream("x", route="r") as events:
                    async for event in events:
                        if isinstance(event, TextDelta):
                            received.append(event.text)
                    text = events.response().text
            else:
                text = (await router.route("x", route="r")).text
        except (CallError, ProviderError) as caught:
            error = caught
        took = anyio.current_time() - started
        states = router._kernel.wiring._states.values() if router._kernel else ()
        assert all(state.in_flight == 0 for state in states)
    return Played(providers=providers, recorder=recorder, received="".join(received), text=text, error=error, took=took)


def _played(case: Case, *, stream: bool) -> Played:
    async def main() -> Played:
        return await _play(case, stream=stream)

    clock = trio.testing.MockClock(autojump_threshold=0.0)
    return anyio.run(main, backend="trio", backend_options={"clock": clock})


def _sources(text: str) -> set[str]:
    return {piece.partition(".")[0] for piece in text.split()}


def _check_laws(case: Case, played: Played) -> None:
    _one_voice(played)
    _every_beginning_has_one_end(played)
    _nothing_is_left_running(played)
    _attempts_are_bounded(case, played)
    _fatal_errors_end_the_call(case, played)
    if case.deadline is not None:
        assert played.took <= case.deadline + EPSILON


def _one_voice(played: Played) -> None:
    """What a reader got comes from one attempt of one target, in order and without repetition."""
    assert len(_sources(played.received)) <= 1
    assert len(_sources(played.text or "")) <= 1
    numbers = [int(piece.rpartition(".")[2]) for piece in played.received.split()]
    assert numbers == list(range(len(numbers)))
    if isinstance(played.error, StreamInterrupted):
        assert played.error.partial.text == played.received
    if isinstance(played.error, DeadlineExceeded) and played.error.partial is not None:
        assert played.error.partial.text == played.received


def _every_beginning_has_one_end(played: Played) -> None:
    recorder = played.recorder
    assert len(recorder.of(CallStarted)) == len(recorder.of(CallFinished)) == 1
    begun = [record.attempt for record in recorder.of(AttemptStarted) if isinstance(record, AttemptStarted)]
    ended = [
        record.attempt
        for record in recorder.of(AttemptFinished, AttemptFailed)
        if isinstance(record, AttemptFinished | AttemptFailed)
    ]
    assert begun == list(range(1, len(begun) + 1))
    assert sorted(ended) == begun
    assert isinstance(recorder.records[-1], CallFinished)


def _nothing_is_left_running(played: Played) -> None:
    assert all(provider.running == 0 for provider in played.providers)


def _attempts_are_bounded(case: Case, played: Played) -> None:
    assert len(played.recorder.of(AttemptStarted)) <= case.rounds * len(case.scripts)


def _fatal_errors_end_the_call(case: Case, played: Played) -> None:
    for record, following in pairwise(played.recorder.records):
        if isinstance(record, AttemptFailed) and isinstance(record.error, FATAL):
            assert not isinstance(following, AttemptStarted)
    for record, *rest in (played.recorder.records[number:] for number in range(len(played.recorder.records))):
        if isinstance(record, FirstEvent):
            assert not any(isinstance(later, AttemptStarted) for later in rest)


@given(case=_cases)
@settings(deadline=None, max_examples=150)
def test_laws_hold_for_streams(case: Case) -> None:
    _check_laws(case, _played(case, stream=True))


@given(case=_cases)
@settings(deadline=None, max_examples=150)
def test_laws_hold_for_whole_answers(case: Case) -> None:
    _check_laws(case, _played(case, stream=False))


_instant = st.builds(
    Act,
    chunks=st.integers(0, 3),
    error=st.none() | _errors.map(lambda kind: kind("as scripted")),
    finished=st.sampled_from([True, True, False]),
)


@given(
    scripts=st.lists(st.lists(_instant, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple),
    strategy=st.sampled_from([InOrder, Held, lambda: Hedge(0.0)]),
    stream=st.booleans(),
)
@settings(deadline=None, max_examples=150)
def test_laws_hold_on_asyncio(
    scripts: tuple[tuple[Act, ...], ...], strategy: Callable[[], Any], *, stream: bool
) -> None:
    case = Case(scripts=scripts, strategy=strategy, rounds=1, deadline=None, attempt_timeout=None)

    async def main() -> Played:
        return await _play(case, stream=stream)

    _check_laws(case, anyio.run(main))


@given(
    errors=st.lists(st.none() | st.sampled_from([*PASSING, QuotaExhausted]), min_size=1, max_size=5),
    stream=st.booleans(),
)
@settings(deadline=None, max_examples=100)
def test_the_first_target_that_can_answer_does(errors: list[type[ProviderError] | None], *, stream: bool) -> None:
    scripts = tuple((Act(chunks=0 if kind else 1, error=kind and kind("no")),) for kind in errors)
    case = Case(scripts=scripts, strategy=InOrder, rounds=1, deadline=None, attempt_timeout=None)
    played = _played(case, stream=stream)
    if None in errors:
        assert played.text == f"p{errors.index(None)}#1.0 "
    elif len(errors) > 1:
        assert isinstance(played.error, AttemptsExhausted)
        assert [type(outcome.error) for outcome in played.error.outcomes] == errors
    else:
        assert type(played.error) is errors[0]


@pytest.mark.parametrize("kind", FATAL)
def test_a_fatal_error_reaches_the_caller_as_itself(kind: type[ProviderError]) -> None:
    scripts = ((Act(chunks=0, error=RateLimited("busy")),), (Act(chunks=0, error=kind("no")),), (Act(),))
    case = Case(scripts=scripts, strategy=InOrder, rounds=2, deadline=None, attempt_timeout=None)
    played = _played(case, stream=False)
    assert type(played.error) is kind
    assert played.error.target == "p1"
    assert played.providers[2].plays == 0
    assert "busy" in "".join(played.error.__notes__)
