"""The gateway's own observer against the contract of the SDK, and what it tells and hears."""

from __future__ import annotations

import anyio
import pytest

from mlo import Router
from mlo.records import BreakerChanged
from mlo.settings import BreakerSettings, ProviderSettings, Settings
from mlo_gateway.conformance import *  # noqa: F403 - as plugins adopt it
from mlo_gateway.limits.signals import HINTS, LocalSignals
from mlo_gateway.serving.hints import Hints, with_hints

pytestmark = pytest.mark.anyio


def _settings() -> Settings:
    ill = ProviderSettings(use="mock", options={"mode": "overloaded"})
    return with_hints(Settings(providers={"ill": ill}, breaker=BreakerSettings(failures=1, open_for=30)))


async def _state(router: Router) -> str:
    return next(target.breaker for target in router.targets() if target.name == "ill")


async def test_a_breaker_that_opens_here_opens_there() -> None:
    signals, here, there = LocalSignals(), Hints(), Hints()
    async with Router(_settings(), plugins=[here]) as one, Router(_settings(), plugins=[there]) as other:
        here.join(one, signals)
        leave = there.join(other, signals)
        assert await _state(other) == "closed"
        with pytest.raises(Exception, match="overloaded"):
            await one.route("Hi")
        assert await _state(one) == await _state(other) == "open"
        leave()
        signals.publish(HINTS, '{"target": "ill", "open_for": 0}')
        assert await _state(other) == "open"
        # what a router has found out itself is not for others to take back
        assert await _state(one) == "open"


async def test_what_is_no_hint_is_left_out() -> None:
    signals, hints = LocalSignals(), Hints()
    async with Router(_settings(), plugins=[hints]) as router:
        hints.join(router, signals)
        for nonsense in ("", "[]", "{}", "null", '{"target": 5, "open_for": 1}', '{"target": "ill", "open_for": "x"}'):
            signals.publish(HINTS, nonsense)
        signals.publish(HINTS, '{"target": "ill", "open_for": 1e999}')
        signals.publish(HINTS, '{"target": "unknown", "open_for": 5}')
        assert await _state(router) == "closed"
    signals.publish(HINTS, '{"target": "ill", "open_for": 5}')  # the router is closed, and hears no more


async def test_hints_are_not_passed_on() -> None:
    signals, hints, heard = LocalSignals(), Hints(), list[str]()
    signals.subscribe(HINTS, heard.append)
    async with Router(_settings(), plugins=[hints]) as router:
        hints.join(router, signals)
        signals.publish(HINTS, '{"target": "ill", "open_for": 5}')
        await anyio.sleep(0)
        assert await _state(router) == "open"
        assert len(heard) == 1
        hints.on(BreakerChanged(target="ill", state="closed"))
        assert heard[1:] == ['{"target":"ill","open_for":0.0}']
