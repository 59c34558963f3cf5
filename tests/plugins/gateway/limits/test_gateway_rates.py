"""Laws of the limits, the same for a process of its own and for replicas over Redis."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlo_gateway.contracts import GatewayError, Ticket
from mlo_gateway.limits import Allowance
from tests.plugins.gateway.limits.worlds import World, fresh, principal, shared_world
from tests.services.redis import RedisServer

_MINUTE = 60_000_000
_law = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
pauses = st.one_of(st.just(0), st.integers(0, 2_000_000), st.integers(0, 2 * _MINUTE))


@pytest.fixture(scope="module", params=["process", "redis"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "process":
        yield World()
    else:
        server: RedisServer = request.getfixturevalue("redis")
        with shared_world(server.url) as shared:
            yield shared


def _try(world: World, *arguments: object) -> Ticket | GatewayError:
    try:
        return world.enter(*arguments)  # type: ignore[arg-type]
    except GatewayError as error:
        return error


@_law
@given(limit=st.integers(1, 1000), gaps=st.lists(pauses, min_size=1, max_size=30))
def test_never_more_than_the_burst_and_what_time_gives_back(world: World, limit: int, gaps: list[int]) -> None:
    caller = principal(Allowance(scope=fresh(), requests=limit))
    admitted: list[int] = []
    for gap in gaps:
        world.now += gap
        while isinstance(ticket := _try(world, caller), GatewayError) is False and len(admitted) < 200:
            world.leave(ticket)  # type: ignore[arg-type]
            admitted.append(world.now)
    for first in range(0, len(admitted), 7):
        for last in range(first, len(admitted), 11):
            window = admitted[last] - admitted[first]
            assert last - first + 1 <= limit + window * limit / _MINUTE


@_law
@given(limit=st.integers(1, 100_000), cost=st.integers(1, 200_000), gap=pauses)
def test_the_time_to_wait_is_exact(world: World, limit: int, cost: int, gap: int) -> None:
    caller = principal(Allowance(scope=fresh(), tokens=limit))
    world.leave(world.enter(caller, limit))
    world.now += gap
    answer = _try(world, caller, cost)
    if isinstance(answer, GatewayError):
        assert answer.retry_after is not None
        wait = round(answer.retry_after * 1_000_000)
        assert wait > 0
        world.now += wait - 1
        assert isinstance(_try(world, caller, cost), GatewayError)
        world.now += 1
        world.leave(world.enter(caller, cost))


@_law
@given(limit=st.integers(10, 10_000), reserved=st.integers(0, 20_000), used=st.integers(0, 20_000))
def test_an_estimate_is_corrected_by_the_truth(world: World, limit: int, reserved: int, used: int) -> None:
    caller = principal(Allowance(scope=fresh(), tokens=limit))
    world.leave(world.enter(caller, reserved), used)
    answer = _try(world, caller, limit)
    if used:
        assert isinstance(answer, GatewayError)
        assert answer.retry_after == math.ceil(used * _MINUTE / limit) / 1_000_000
    else:
        assert not isinstance(answer, GatewayError)


def test_what_nobody_knows_stays_as_estimated(world: World) -> None:
    caller = principal(Allowance(scope=fresh(), tokens=600))
    world.leave(world.enter(caller, 300), None)
    assert isinstance(_try(world, caller, 301), GatewayError)
    world.leave(world.enter(caller, 300))


@_law
@given(
    limit=st.integers(1, 600),
    steps=st.lists(st.one_of(pauses, st.integers(-10 * _MINUTE, 0)), min_size=1, max_size=15),
)
def test_a_clock_that_goes_back_neither_admits_more_nor_locks_out(world: World, limit: int, steps: list[int]) -> None:
    caller = principal(Allowance(scope=fresh(), requests=limit))
    given_back, admitted = 0, 0
    for step in steps:
        world.now += step
        given_back += max(0, step)
        while not isinstance(ticket := _try(world, caller), GatewayError) and admitted < 200:
            world.leave(ticket)
            admitted += 1
        assert admitted <= limit + given_back * limit / _MINUTE
    world.now -= 100 * _MINUTE
    _try(world, caller)
    world.now += _MINUTE
    assert not isinstance(_try(world, caller), GatewayError)


def test_scopes_are_independent_and_shared_ones_are_shared(world: World) -> None:
    project = fresh("project")
    first = principal(Allowance(scope=fresh(), requests=1), Allowance(scope=project, requests=3))
    second = principal(Allowance(scope=fresh(), requests=5), Allowance(scope=project, requests=3))
    world.enter(first)
    error = _try(world, first)
    assert isinstance(error, GatewayError)
    assert error.details["scope"] == first.limits[0].scope  # type: ignore[index]
    # who was refused by one scope has taken nothing from the others
    world.enter(second)
    world.enter(second)
    error = _try(world, second)
    assert isinstance(error, GatewayError)
    assert (error.status, error.code, error.details["scope"]) == (429, "rate_limit_exceeded", project)
    assert not isinstance(_try(world, principal(Allowance(scope=fresh(), requests=1))), GatewayError)


@_law
@given(limit=st.integers(1, 8), moves=st.lists(st.booleans(), max_size=40))
def test_places_are_never_taken_twice(world: World, limit: int, moves: list[bool]) -> None:
    caller = principal(Allowance(scope=fresh(), concurrency=limit))
    inside: list[Ticket] = []
    for enters in moves:
        if enters:
            answer = _try(world, caller)
            assert isinstance(answer, GatewayError) is (len(inside) == limit)
            if not isinstance(answer, GatewayError):
                inside.append(answer)
        elif inside:
            gone = inside.pop()
            world.leave(gone)
            world.leave(gone)


def test_a_refusal_for_lack_of_room_says_so(world: World) -> None:
    caller = principal(Allowance(scope=fresh(), concurrency=1, requests=2))
    ticket = world.enter(caller)
    error = _try(world, caller)
    assert isinstance(error, GatewayError)
    assert (error.status, error.code, error.type) == (429, "concurrency_limit_exceeded", "concurrency")
    world.leave(ticket)
    # the refused one has cost no request
    world.leave(world.enter(caller))
    assert isinstance(error := _try(world, caller), GatewayError)
    assert error.type == "requests"


def test_more_than_a_whole_burst_waits_for_a_whole_burst(world: World) -> None:
    caller = principal(Allowance(scope=fresh(), tokens=100))
    world.leave(world.enter(caller, 5000), 5000)
    error = _try(world, caller, 1)
    assert isinstance(error, GatewayError)
    # the debt has to be worked off: 4,901 tokens at 100 a minute
    assert error.retry_after == pytest.approx(4901 * 0.6)


def test_headers_tell_of_the_scarcest_limit(world: World) -> None:
    caller = principal(
        Allowance(scope=fresh(), requests=60, tokens=6000), Allowance(scope=fresh("project"), requests=10)
    )
    assert dict(world.enter(caller, 1500).headers) == {
        b"x-ratelimit-limit-requests": b"10",
        b"x-ratelimit-remaining-requests": b"9",
        b"x-ratelimit-reset-requests": b"6s",
        b"x-ratelimit-limit-tokens": b"6000",
        b"x-ratelimit-remaining-tokens": b"4500",
        b"x-ratelimit-reset-tokens": b"15s",
    }


def test_without_allowances_there_is_no_limit(world: World) -> None:
    caller = principal()
    for _ in range(50):
        ticket = world.enter(caller, 10**9)
        assert ticket.headers == ()
        world.leave(ticket, 10**9)


def test_a_plan_that_changes_counts_from_the_next_request(world: World) -> None:
    scope = fresh()
    world.enter(principal(Allowance(scope=scope, requests=2), key=scope))
    world.enter(principal(Allowance(scope=scope, requests=2), key=scope))
    assert isinstance(_try(world, principal(Allowance(scope=scope, requests=2), key=scope)), GatewayError)
    for _ in range(8):
        world.enter(principal(Allowance(scope=scope, requests=10), key=scope))
    assert isinstance(_try(world, principal(Allowance(scope=scope, requests=10), key=scope)), GatewayError)
