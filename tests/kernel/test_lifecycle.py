"""What stays open and what closes while configurations follow each other and calls last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
from attrs import define, evolve, field

from mlo import Router, _builtin, hookimpl
from mlo._registry import PluginRegistry
from mlo.api import Environment, Observer, ObserverSpec, Provider
from mlo.errors import MloError, PluginFault
from mlo.records import Record
from mlo.settings import ComponentSettings, PluginPolicy, ProviderSettings, RetrySettings, RouteSettings, Settings
from tests.kernel.scripted import Act, Recorder, Scripted
from tests.kernel.test_components import KeyOptions, Options, Plant, planted, plants

pytestmark = pytest.mark.anyio
LONG = Act(chunks=2, between=60)


@define(eq=False)
class Lookout:
    """Offers observers that open when ``gate`` does, and counts those that are open."""

    gate: anyio.Event = field(factory=anyio.Event)
    wants: Any = frozenset[type[Record]]()
    names: list[str] = field(factory=list)

    @hookimpl
    def mlo_observers(self) -> Iterable[ObserverSpec[Any]]:
        return [ObserverSpec(name="lookout", config=KeyOptions, open=self._open)]

    def _open(self, _config: object, env: Environment) -> AbstractAsyncContextManager[Observer]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Observer]:
            await self.gate.wait()
            self.names.append(env.instance)
            try:
                yield Recorder(wants=self.wants)
            finally:
                self.names.remove(env.instance)

        return opened()


@asynccontextmanager
async def watched(settings: Settings, lookout: Lookout) -> AsyncIterator[Router]:
    registry = PluginRegistry(candidates=())
    async with Router(settings, plugins=[_builtin, Plant(), lookout], registry=registry) as router:
        yield router


def observers(*names: str, use: str = "lookout") -> dict[str, ComponentSettings]:
    return {name: ComponentSettings(use=use, path=f"observers.{name}") for name in names}


async def test_nothing_closes_under_a_call_when_an_older_call_ends() -> None:
    plant = Plant(providers={"a": Scripted("a", [LONG]), "b": Scripted("b", [LONG])})
    async with planted(Settings(providers=plants(a={}, b={})), plant=plant) as router:
        async with anyio.create_task_group() as tasks, router.route_stream("x", target="b") as newer:
            async with router.route_stream("x", target="a") as older:
                await anext(older)
                router.add_provider("c", use="plant")
                await anext(newer)
                tasks.start_soon(router.reload, Settings(providers=plants(a={})))
                await anyio.wait_all_tasks_blocked()
            await anyio.wait_all_tasks_blocked()
            assert plant.closed == []
        assert plant.closed == ["b"]


async def test_a_reload_that_is_cancelled_while_old_calls_last_has_happened_all_the_same() -> None:
    plant = Plant(providers={"a": Scripted("a", [LONG])})
    after = Settings(providers=plants(a={}), plugins=PluginPolicy(deny=("other",)))
    async with planted(Settings(providers=plants(a={}, b={})), plant=plant) as router:
        await router.route("x", target="b")
        async with router.route_stream("x", target="a") as stream:
            await anext(stream)
            with anyio.move_on_after(0.01):
                await router.reload(after)
            assert router.settings is after
            assert router._kernel is not None
            assert router._kernel.wiring.registry is router._registry
        await anyio.wait_all_tasks_blocked()
        assert sorted(plant.closed) == ["a", "b"]


async def test_a_reload_and_a_provider_added_meanwhile_leave_one_truth() -> None:
    lookout = Lookout()
    async with watched(Settings(providers=plants(a={})), lookout) as router:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(router.reload, Settings(providers=plants(a={}), observers=observers("o")))
            await anyio.wait_all_tasks_blocked()
            router.add_provider("b", use="plant")
            assert (await router.route("x", target="b")).text
            lookout.gate.set()
        assert list(router.providers) == ["a"]
        assert router._kernel is not None
        assert list(router._kernel.wiring.instances) == ["a"]


async def test_a_reload_cancelled_before_the_change_changes_nothing() -> None:
    before, lookout = Settings(providers=plants(a={})), Lookout()
    async with watched(before, lookout) as router:
        with anyio.move_on_after(0.01):
            await router.reload(Settings(observers=observers("o")))
        assert router.settings is before


@pytest.mark.parametrize("broken", [{"use": "nobody"}, {"use": "lookout", "wants": None}], ids=["unknown", "wants"])
async def test_a_reload_that_fails_closes_the_observers_it_had_opened(broken: dict[str, Any]) -> None:
    lookout = Lookout(wants=broken.get("wants", frozenset()))
    lookout.gate.set()
    async with watched(Settings(providers=plants(a={})), lookout) as router:
        with pytest.raises((MloError, TypeError)):
            await router.reload(Settings(observers=observers("x") | observers("y", use=broken["use"])))
        assert lookout.names == []
        assert list(router.providers) == ["a"]


async def test_an_observer_stays_open_until_the_last_call_that_tells_it() -> None:
    lookout = Lookout()
    lookout.gate.set()
    settings = Settings(providers=plants(a={}), observers=observers("o"))
    async with watched(settings, lookout) as router:
        router.add_provider("slow", Scripted("slow", [LONG]))
        async with router.route_stream("x", target="slow") as stream, anyio.create_task_group() as tasks:
            await anext(stream)
            router.add_route("r", ["a"])
            tasks.start_soon(router.reload, evolve(settings, observers={}))
            await anyio.wait_all_tasks_blocked()
            assert lookout.names == ["o"]
            await stream.aclose()
        assert lookout.names == []


def keyed(key: str) -> Settings:
    auth = ComponentSettings(use="key", options={"key": key}, path="providers.a.auth")
    return Settings(providers={"a": ProviderSettings(use="plant", options={"key": key}, auth=auth, path="providers.a")})


async def test_an_auth_scheme_that_nobody_uses_any_more_is_closed() -> None:
    plant = Plant()
    async with planted(keyed("k0"), plant=plant) as router:
        for number in range(1, 4):
            await router.route("x")
            await router.reload(keyed(f"k{number}"))
        assert plant.closed.count("auth") == 3
        assert router._kernel is not None
        assert router._kernel.wiring.auths == []


async def test_an_auth_scheme_in_use_survives_a_reload() -> None:
    plant = Plant()
    settings = Settings(providers=plants(a={"key": "k"}))
    async with planted(settings, plant=plant) as router:
        await router.route("x")
        await router.reload(evolve(settings, providers=plants(a={"key": "k"}, b={"key": "k"})))
        await router.route("x", target="b")
        assert plant.opened.count("auth") == 1


def limited(**limits: int) -> Settings:
    return Settings(
        providers={
            name: ProviderSettings(use="plant", options={"answer": name}, concurrency=limit, path=f"providers.{name}")
            for name, limit in limits.items()
        }
    )


async def test_a_reload_may_widen_a_concurrency_limit() -> None:
    scripted = Scripted("a", [Act(before=0.01)])
    async with planted(limited(a=1), plant=Plant(providers={"a": scripted})) as router:
        await router.route("x")
        await router.reload(limited(a=3))
        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(router.route, "x")
    assert scripted.most_running == 3


async def test_calls_of_before_a_reload_count_for_the_limit_after_it() -> None:
    scripted = Scripted("a", [LONG])
    async with planted(limited(a=1), plant=Plant(providers={"a": scripted})) as router:
        async with router.route_stream("x") as stream, anyio.create_task_group() as tasks:
            await anext(stream)
            tasks.start_soon(router.reload, evolve(limited(a=2), retry_ratio=0.5))
            await anyio.wait_all_tasks_blocked()
            for _ in range(3):
                tasks.start_soon(router.route, "x")
            await anyio.wait_all_tasks_blocked()
            assert scripted.most_running == 2
            tasks.cancel_scope.cancel()


async def test_the_retry_budget_outlives_a_reload() -> None:
    settings = Settings(providers=plants(a={}), retry_reserve=1.0, retry_ratio=0.0)
    plant = Plant(providers={"a": Scripted("a", [Act(error=MloError)])})
    async with planted(settings, plant=plant) as router:
        assert router._kernel is not None
        assert router._kernel.wiring.budget.withdraw()
        await router.reload(evolve(settings, routes={"r": RouteSettings(targets=("a",), retry=RetrySettings())}))
        assert not router._kernel.wiring.budget.withdraw()


async def test_a_provider_that_opens_as_none_is_refused_and_the_router_can_be_left() -> None:
    class Empty(Plant):
        @asynccontextmanager
        async def _open(self, options: Options, env: Environment) -> AsyncIterator[Provider]:
            nothing: Any = None
            yield nothing

    async with planted(Settings(providers=plants(a={})), plant=Empty()) as router:
        with pytest.raises(PluginFault, match="a cannot open: its plugin gave None"):
            await router.route("x")


async def test_what_a_provider_raises_while_opening_is_told_with_its_name() -> None:
    class Broken(Plant):
        @asynccontextmanager
        async def _open(self, options: Options, env: Environment) -> AsyncIterator[Provider]:
            raise OSError("no such device")
            yield

    async with planted(Settings(providers=plants(a={})), plant=Broken()) as router:
        with pytest.raises(PluginFault, match="a cannot open: OSError: no such device") as caught:
            await router.provider("a")
        assert (await router.health())["a"].healthy is False
    assert isinstance(caught.value.__cause__, OSError)


async def test_a_route_whose_name_looks_like_a_target_does_not_catch_its_calls() -> None:
    routes = {"target:a": RouteSettings(targets=("b",))}
    async with planted(Settings(providers=plants(a={"answer": "a"}, b={"answer": "b"}), routes=routes)) as router:
        assert (await router.route("x", route="target:a")).text.startswith("b#")
        assert (await router.route("x", target="a")).text.startswith("a#")
