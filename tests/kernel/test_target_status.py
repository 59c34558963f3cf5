"""What a router says of its targets, and takes from other processes about them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from attrs import frozen

from mlo import BlockingRouter, Capability, Router, hookimpl
from mlo.api import Environment, Provider, ProviderSpec
from mlo.errors import MloError, NoTarget, TransportFailed
from mlo.models import Price, Residency
from mlo.records import BreakerChanged
from mlo.settings import BreakerSettings, ProviderSettings, RetrySettings, RouteSettings, Settings
from tests.kernel.harness import OBSERVED, routing
from tests.kernel.scripted import Act, Recorder, Scripted

pytestmark = pytest.mark.anyio
PRICE = Price(prompt=1, completion=2)


@frozen
class _NoOptions:
    pass


class _Plugin:
    """Offers one provider that knows its price and place."""

    @hookimpl
    def mlo_providers(self) -> Iterable[ProviderSpec[Any]]:
        return [
            ProviderSpec(
                name="vendor",
                config=_NoOptions,
                open=self._open,
                capabilities=frozenset({Capability.CHAT}),
                residency=Residency(region="RU"),
                price=lambda _config, model: PRICE if model == "big" else None,
                concurrency=lambda _config: 2,
            )
        ]

    @asynccontextmanager
    async def _open(self, _config: object, _env: Environment) -> AsyncIterator[Provider]:
        yield Scripted("vendor", [Act(before=60.0)])


async def test_targets_are_described() -> None:
    settings = Settings(
        providers={
            "main": ProviderSettings(use="vendor", labels={"tier": "gold"}),
            "broken": ProviderSettings(use="nobody"),
        },
        routes={
            "default": RouteSettings(targets=("main:big", "main", "broken:x")),
            "outer": RouteSettings(targets=("route:default",)),
        },
    )
    async with Router(settings, plugins=[_Plugin()]) as router, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(lambda: router.route("x", target="main"))
        await anyio.wait_all_tasks_blocked()
        big, main, broken, outer = router.targets()
        tasks.cancel_scope.cancel()
    assert (big.name, big.provider, big.model, big.plugin) == ("main:big", "main", "big", "vendor")
    assert (big.price, big.residency, big.labels) == (PRICE, Residency(region="RU"), {"tier": "gold"})
    assert big.capabilities == {Capability.CHAT}
    assert (main.model, main.price) == (None, None)
    assert (main.in_flight, main.slots, main.free_slots, big.in_flight, big.free_slots) == (3, 2, 0, 0, 0)
    assert (broken.name, broken.provider, broken.model) == ("broken:x", "broken", "x")
    assert "nobody" in broken.unusable
    assert (outer.name, outer.plugin, outer.unusable) == ("route:default", "route", "")


async def test_a_target_without_a_route_is_there_once_it_was_used() -> None:
    async with routing(Scripted("a"), Scripted("b")) as router:
        assert [status.name for status in router.targets()] == ["a", "b"]
        router.add_provider("c", Scripted("c"))
        await router.route("x", target="c")
        assert [status.name for status in router.targets()] == ["a", "b", "c"]


async def test_the_load_of_a_provider_is_shown() -> None:
    async with routing(Scripted("a")) as router:
        router._running().wiring.state("a").load = 0.5
        assert router.targets()[0].load == 0.5


async def test_a_tripped_breaker_is_shown() -> None:
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=1, open_for=60.0))
    failing = Scripted("a", [Act(error=TransportFailed("gone"))])
    async with routing(failing, settings=settings, retry=RetrySettings(rounds=1)) as router:
        with pytest.raises(TransportFailed):
            await router.route("x", route="r")
        (status,) = router.targets()
    assert status.breaker == "open"
    assert 50.0 < status.retry_in <= 60.0


async def test_a_hint_leaves_a_target_alone() -> None:
    recorder = Recorder()
    async with routing(Scripted("a"), Scripted("b"), recorder=recorder) as router:
        assert router.hint("a", open_for=30.0)
        assert router.targets()[0].breaker == "open"
        answer = await router.route("x", route="r")
        assert answer.call is not None
        assert answer.call.target == "b"
        assert router.hint("b", open_for=30.0)
        with pytest.raises(NoTarget, match="circuit breaker open"):
            await router.route("x", route="r")
        assert router.hint("a", open_for=0.0)
        assert (await router.route("x", route="r")).text == "a#1.0 a#1.1 "
    assert recorder.of(BreakerChanged) == [
        BreakerChanged(target="a", state="open", hinted=True),
        BreakerChanged(target="b", state="open", hinted=True),
        BreakerChanged(target="a", state="closed", hinted=True),
    ]


async def test_a_hint_does_not_close_what_opened_here() -> None:
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=1, open_for=60.0))
    recorder, failing = Recorder(), Scripted("a", [Act(error=TransportFailed("gone"))])
    async with routing(failing, settings=settings, recorder=recorder, retry=RetrySettings(rounds=1)) as router:
        with pytest.raises(TransportFailed):
            await router.route("x", route="r")
        assert router.hint("a", open_for=0.0)
        assert router.targets()[0].breaker == "open"
    assert recorder.of(BreakerChanged) == [BreakerChanged(target="a", state="open")]


async def test_hints_about_strangers_are_not_for_us() -> None:
    async with Router(Settings(providers={"x": ProviderSettings(use="nobody")})) as router:
        assert not router.hint("never-heard-of", open_for=5.0)
        assert not router.hint("x", open_for=5.0)


async def test_a_closed_router_knows_nothing() -> None:
    router = Router()
    for ask in (router.targets, lambda: router.hint("a", open_for=1.0)):
        with pytest.raises(MloError, match="not open"):
            ask()


def test_threads_may_ask_too() -> None:
    with BlockingRouter() as router:
        router.add_provider("a", Scripted("a"))
        router.add_provider("b", Scripted("b"))
        assert router.hint("a", open_for=30.0)
        assert [status.breaker for status in router.targets()] == ["open", "closed"]
        assert router.route("x").text == "b#1.0 b#1.1 "
