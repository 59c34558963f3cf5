"""The memory of a process that keeps limits alone."""

from __future__ import annotations

import os
import tracemalloc

import pytest

from mlo_gateway.contracts import GatewayError, Principal
from mlo_gateway.limits import Allowance, LocalSignals
from mlo_gateway.limits.config import AdmissionConfig, LimitsConfig
from mlo_gateway.limits.memory import LocalLimiter
from tests.plugins.gateway.limits.worlds import principal

_KEYS = int(os.environ.get("MLO_LIMIT_KEYS", "6000"))


class _Clock:
    now = 0

    def __call__(self) -> int:
        return self.now


def test_a_million_callers_leave_no_trace() -> None:
    clock = _Clock()
    limiter = LocalLimiter(LimitsConfig(scopes=20_000), clock)
    most = 0
    tracemalloc.start()
    try:
        for number in range(_KEYS):
            caller = Principal(key_id=str(number), limits=(Allowance(scope=f"key:{number}", requests=60),))
            limiter.enter(caller, 10).leave(10)
            clock.now += 1000  # a thousand callers a second, each forgotten a second later
            most = max(most, limiter.size)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 5000
    assert held < 4_000_000


def test_callers_beyond_the_bound_are_refused_until_others_are_forgotten() -> None:
    clock = _Clock()
    limiter = LocalLimiter(LimitsConfig(scopes=100), clock)
    callers = [principal(Allowance(scope=f"key:{number}", requests=60)) for number in range(101)]
    for caller in callers[:100]:
        limiter.enter(caller, 0).leave(0)
    with pytest.raises(GatewayError) as refusal:
        limiter.enter(callers[100], 0)
    assert (refusal.value.status, refusal.value.code) == (503, "overloaded")
    clock.now += 1_000_000
    limiter.enter(callers[100], 0)
    assert limiter.size == 1


def test_who_is_under_way_is_never_forgotten() -> None:
    clock = _Clock()
    limiter = LocalLimiter(LimitsConfig(), clock)
    caller = principal(Allowance(scope="key:long", concurrency=1))
    ticket = limiter.enter(caller, 0)
    for number in range(3000):
        limiter.enter(principal(Allowance(scope=f"key:{number}", concurrency=1)), 0).leave(0)
    with pytest.raises(GatewayError):
        limiter.enter(caller, 0)
    ticket.leave(None)
    limiter.enter(caller, 0)


def test_the_gateway_as_a_whole_has_limits_too() -> None:
    limiter = LocalLimiter(LimitsConfig(requests=2), _Clock())
    limiter.enter(principal(), 0)
    limiter.enter(principal(), 0)
    with pytest.raises(GatewayError) as refusal:
        limiter.enter(principal(), 0)
    assert refusal.value.details["scope"] == "gateway"


def test_a_new_configuration_keeps_what_was_counted() -> None:
    limiter = LocalLimiter(LimitsConfig(requests=2), _Clock())
    caller = principal()
    limiter.enter(caller, 0)
    limiter.reconfigure(LimitsConfig(requests=3))
    limiter.enter(caller, 0)
    limiter.enter(caller, 0)
    with pytest.raises(GatewayError):
        limiter.enter(caller, 0)


def test_a_smaller_burst_spreads_requests() -> None:
    limiter = LocalLimiter(LimitsConfig(burst=6), _Clock())
    caller = principal(Allowance(scope="key:even", requests=60))
    for _ in range(6):
        limiter.enter(caller, 0)
    with pytest.raises(GatewayError) as refusal:
        limiter.enter(caller, 0)
    assert refusal.value.retry_after == 1.0


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (LimitsConfig, {"requests": 0}),
        (LimitsConfig, {"burst": 61}),
        (LimitsConfig, {"burst": float("nan")}),
        (LimitsConfig, {"lease": 0}),
        (AdmissionConfig, {"in_flight": 0}),
        (AdmissionConfig, {"queue": -1}),
        (Allowance, {"scope": "key:1", "tokens": 0}),
        (Allowance, {"scope": "key:1", "tokens": 100_000_001}),
    ],
)
def test_wrong_numbers_are_refused(kind: type, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|at most"):
        kind(**options)


def test_limits_that_are_none_are_a_bug_of_ours() -> None:
    with pytest.raises(TypeError, match="no allowances"):
        LocalLimiter().enter(Principal(key_id="k", limits={"requests": 1}), 0)


def test_signals_in_one_process_arrive_at_once() -> None:
    heard: list[str] = []
    signals = LocalSignals()
    leave = signals.subscribe("revoked", heard.append)
    signals.publish("revoked", "k1")
    signals.publish("other", "k2")
    leave()
    signals.publish("revoked", "k3")
    assert heard == ["k1"]
