"""Opening, sharing, closing and replacing what stands behind a router."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define, evolve, field, frozen

from mlo import ChatRequest, ChatResponse, Router, Secret, _builtin, hookimpl
from mlo._registry import PluginRegistry
from mlo.api import AuthScheme, AuthSpec, CallContext, Credentials, Environment, Provider, ProviderSpec
from mlo.errors import ConfigError, MloError, ServerFault
from mlo.models import Price, Residency
from mlo.records import BreakerChanged, ConfigReloaded, Record
from mlo.settings import BreakerSettings, ComponentSettings, ProviderSettings, RouteSettings, Settings
from tests.kernel.harness import OBSERVED, RecorderPlugin
from tests.kernel.scripted import Act, Recorder, Scripted

pytestmark = pytest.mark.anyio


@frozen(kw_only=True)
class Options:
    answer: str = "text"
    inner: str | None = None
    key: Secret | None = None
    slow: float = 0.0
    fails: bool = False
    limit: int | None = None


@frozen(kw_only=True)
class KeyOptions:
    key: Secret = Secret("k")


@define(eq=False)
class Plant:
    """A plugin that counts what it opens and closes."""

    opened: list[str] = field(factory=list)
    closed: list[str] = field(factory=list)
    providers: dict[str, Scripted] = field(factory=dict)

    @hookimpl
    def mlo_providers(self) -> Iterable[ProviderSpec[Any]]:
        return [
            ProviderSpec(
                name="plant",
                config=Options,
                open=self._open,
                concurrency=lambda options: options.limit,
                price=lambda _options, model: Price(prompt=1, completion=2) if model == "priced" else None,
                residency=lambda options: Residency(region="RU", stores_prompts=options.fails),
            )
        ]

    @hookimpl
    def mlo_auth_schemes(self) -> Iterable[AuthSpec[Any]]:
        return [AuthSpec(name="key", config=KeyOptions, open=self._open_key)]

    @asynccontextmanager
    async def _open(self, options: Options, env: Environment) -> AsyncIterator[Provider]:
        name = env.instance
        self.opened.append(name)
        await anyio.sleep(options.slow)
        if options.fails:
            raise ConfigError(env.path, "cannot open")
        if options.key is not None:
            await env.auth("key")
        inner = None if options.inner is None else await env.provider(options.inner)
        try:
            yield Wrapping(inner) if inner else self.providers.setdefault(name, Scripted(options.answer))
        finally:
            self.closed.append(name)

    @asynccontextmanager
    async def _open_key(self, options: KeyOptions, env: Environment) -> AsyncIterator[AuthScheme]:
        self.opened.append("auth")
        try:
            yield Key(options.key)
        finally:
            self.closed.append("auth")


@frozen
class Key:
    key: Secret

    async def credentials(self, stale: int | None = None) -> Credentials:
        return Credentials(headers={"authorization": self.key.reveal()})


class Wrapping(Scripted):
    def __init__(self, inner: Provider) -> None:
        super().__init__("wrapping")
        self.inner = inner

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        return await self.inner.generate(request, ctx)


def plants(**instances: dict[str, Any]) -> dict[str, ProviderSettings]:
    return {
        name: ProviderSettings(use="plant", options=options, path=f"providers.{name}")
        for name, options in instances.items()
    }


@asynccontextmanager
async def planted(
    settings: Settings, *, plant: Plant | None = None, recorder: Recorder | None = None
) -> AsyncIterator[Router]:
    plugins: list[object] = [_builtin, plant or Plant()]
    if recorder is not None:
        plugins.append(RecorderPlugin(recorder))
    async with Router(settings, plugins=plugins, registry=PluginRegistry(candidates=())) as router:
        yield router


async def test_many_first_users_open_a_provider_once() -> None:
    plant = Plant()
    async with planted(Settings(providers=plants(a={"slow": 0.01})), plant=plant) as router:
        assert plant.opened == []
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(router.route, "x")
        assert plant.opened == ["a"]
    assert plant.closed == ["a"]


async def test_opening_from_another_event_loop_is_an_error_and_not_a_deadlock() -> None:
    async with planted(Settings(providers=plants(a={}))) as router:

        def elsewhere() -> None:
            with pytest.raises(MloError, match="belongs to the event loop in which it was entered"):
                anyio.run(router.route, "x")

        await anyio.to_thread.run_sync(elsewhere)
        assert (await router.route("x")).text


async def test_when_the_one_who_opens_is_cancelled_the_next_opens_again() -> None:
    plant = Plant()
    async with planted(Settings(providers=plants(a={"slow": 0.05})), plant=plant) as router:
        with anyio.move_on_after(0.01):
            await router.route("x")
        assert (await router.route("x")).text
    assert plant.opened == ["a", "a"]


async def test_a_provider_that_cannot_open_leaves_the_call_to_the_next() -> None:
    async with planted(Settings(providers=plants(a={"fails": True}, b={}))) as router:
        answer = await router.route("x")
        with pytest.raises(ConfigError, match=r"providers\.a: cannot open"):
            await router.route("x", target="a")
    assert answer.call is not None
    assert answer.call.target == "b"


async def test_wrappers_open_after_and_close_before_what_they_wrap() -> None:
    plant = Plant()
    settings = Settings(providers=plants(outer={"inner": "middle"}, middle={"inner": "core"}, core={"answer": "core"}))
    async with planted(settings, plant=plant) as router:
        assert (await router.route("x", target="outer")).text.startswith("core#")
    assert plant.closed == ["outer", "middle", "core"]


@pytest.mark.parametrize("asked_by", [1, 2], ids=["one", "two at a time"])
async def test_providers_that_wrap_each_other_are_an_error_and_not_a_deadlock(asked_by: int) -> None:
    settings = Settings(providers=plants(a={"inner": "b", "slow": 0.01}, b={"inner": "a", "slow": 0.01}))
    errors: list[ConfigError] = []

    async def ask(target: str) -> None:
        try:
            await router.route("x", target=target)
        except ConfigError as error:
            errors.append(error)

    async with planted(settings) as router:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for target in ["a", "b"][:asked_by]:
                    tasks.start_soon(ask, target)
    assert len(errors) == asked_by
    assert "in a circle" in str(errors[0])


async def test_a_provider_may_wrap_a_whole_route() -> None:
    settings = Settings(
        providers=plants(outer={"inner": "route:r"}, a={"answer": "a"}),
        routes={"r": RouteSettings(targets=("a",))},
    )
    async with planted(settings) as router:
        assert (await router.route("x", target="outer")).text.startswith("a#")


async def test_a_route_that_comes_back_to_itself_through_a_wrapper_is_an_error() -> None:
    settings = Settings(providers=plants(outer={"inner": "route:r"}), routes={"r": RouteSettings(targets=("outer",))})
    async with planted(settings) as router:
        with pytest.raises(ConfigError, match="in a circle"):
            await router.route("x", route="r")


async def test_instances_with_equal_credentials_share_one_scheme_and_its_limit() -> None:
    plant = Plant()
    auth = ComponentSettings(use="key", options={"key": "same"}, path="providers.x.auth")
    options = {"key": "used", "limit": 1}
    providers = {name: evolve(each, auth=auth) for name, each in plants(a=options, b=options).items()}
    async with planted(Settings(providers=providers), plant=plant) as router:
        plant.providers = {name: Scripted(name, [Act(before=0.02)]) for name in "ab"}
        running: list[int] = []

        async def ask(target: str) -> None:
            await router.route("x", target=target)
            running.append(sum(provider.most_running for provider in plant.providers.values()))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "a")
            tasks.start_soon(ask, "b")
        assert router._kernel is not None
        assert router._kernel.wiring.instances["a"].slots is router._kernel.wiring.instances["b"].slots
    assert plant.opened.count("auth") == 1
    assert running == [1, 2]  # the second began when the first had ended


async def test_a_target_knows_its_models_price_and_where_prompts_go() -> None:
    async with planted(Settings(providers=plants(a={}), routes={"r": RouteSettings(targets=("a:priced",))})) as router:
        await router.route("x", route="r")
        assert router._kernel is not None
        assert router._kernel.wiring.state("a:priced").target.price == Price(prompt=1, completion=2)
        assert router._kernel.wiring.state("a").target.price is None
        assert router._kernel.wiring.state("a").target.residency == Residency(region="RU", stores_prompts=False)


async def test_leaving_a_router_that_is_being_cancelled_still_closes_everything() -> None:
    plant = Plant()
    with anyio.move_on_after(0.05):
        async with planted(Settings(providers=plants(a={})), plant=plant) as router:
            await router.route("x")
            await anyio.sleep(60)
    assert plant.closed == ["a"]


async def test_reload_keeps_what_is_the_same_and_closes_what_is_gone() -> None:
    plant, recorder = Plant(), Recorder()
    before = Settings(providers=plants(a={}, b={}, c={}), observers=OBSERVED)
    after = Settings(providers=plants(a={}, b={"answer": "new"}, d={}), observers=OBSERVED)
    async with planted(before, plant=plant, recorder=recorder) as router:
        for target in "abc":
            await router.route("x", target=target)
        plant.providers.clear()
        await router.reload(after)
        assert sorted(plant.closed) == ["b", "c"]
        assert (await router.route("x", target="b")).text.startswith("new#")
        await router.route("x", target="a")
    assert plant.opened == ["a", "b", "c", "b"]
    (reloaded,) = recorder.of(ConfigReloaded)
    assert reloaded == ConfigReloaded(added=("d",), removed=("c",), changed=("b",))


async def test_reload_lets_calls_under_way_end_as_they_began() -> None:
    plant = Plant()
    before, after = Settings(providers=plants(a={})), Settings(providers=plants(a={"answer": "new"}))
    plant.providers["a"] = Scripted("old", [Act(chunks=3, between=0.02)])
    async with planted(before, plant=plant) as router, anyio.create_task_group() as tasks:
        async with router.route_stream("x") as stream:
            await anext(stream)
            tasks.start_soon(router.reload, after)
            await anyio.sleep(0.01)
            plant.providers.clear()
            assert (await router.route("y")).text.startswith("new#")
            assert plant.closed == []
            [event async for event in stream]
        assert stream.response().text == "old#1.0 old#1.1 old#1.2 "
    assert plant.closed == ["a", "a"]


async def test_reload_sees_a_secret_that_has_changed_behind_its_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    plant = Plant()
    monkeypatch.setenv("PLANT_KEY", "one")
    settings = Settings(providers=plants(a={"key": "env:PLANT_KEY"}))
    async with planted(settings, plant=plant) as router:
        await router.route("x")
        await router.reload(settings)
        assert plant.opened.count("a") == 1
        monkeypatch.setenv("PLANT_KEY", "two")
        await router.reload(settings)
        await router.route("x")
    assert plant.opened.count("a") == 2


async def test_reload_opens_wrappers_anew_when_what_they_wrap_has_changed() -> None:
    plant = Plant()
    before = Settings(providers=plants(outer={"inner": "core"}, core={}))
    after = Settings(providers=plants(outer={"inner": "core"}, core={"answer": "new"}))
    async with planted(before, plant=plant) as router:
        await router.route("x", target="outer")
        plant.providers.clear()
        await router.reload(after)
        assert (await router.route("x", target="outer")).text.startswith("new#")


async def test_reload_reads_the_file_again(tmp_path: Path) -> None:
    file = tmp_path / "mlo.toml"
    file.write_text('[providers.a]\nuse = "mock"\nanswer = "one"\n')
    async with Router.from_file(file) as router:
        assert (await router.route("x")).text == "one"
        file.write_text('[providers.a]\nuse = "mock"\nanswer = "two"\n')
        await router.reload()
        assert (await router.route("x")).text == "two"
        file.write_text("[providers.a\n")
        with pytest.raises(ConfigError):
            await router.reload()
        assert (await router.route("x")).text == "two"


async def test_only_a_router_from_a_file_can_reload_without_settings() -> None:
    async with planted(Settings()) as router:
        with pytest.raises(ConfigError, match="not made from a file"):
            await router.reload()


async def test_a_reload_that_cannot_open_its_observer_changes_nothing() -> None:
    settings = Settings(providers=plants(a={}))
    broken = Settings(providers=plants(b={}), observers={"x": ComponentSettings(use="nobody", path="observers.x")})
    async with planted(settings) as router:
        with pytest.raises(Exception, match="nobody"):
            await router.reload(broken)
        assert list(router.providers) == ["a"]
        assert (await router.route("x")).text


async def test_providers_and_routes_can_be_added_while_calls_are_under_way() -> None:
    plant = Plant()
    async with planted(Settings(providers=plants(a={})), plant=plant) as router:
        async with router.route_stream("x") as stream:
            await anext(stream)
            router.add_provider("b", use="plant", answer="b")
            router.add_route("r", ["b"])
            assert (await router.route("x", route="r")).text.startswith("b#")
            [event async for event in stream]
        await anyio.wait_all_tasks_blocked()
        assert plant.closed == []


async def test_breakers_outlive_a_reload_and_tell_of_their_changes() -> None:
    recorder, plant = Recorder(), Plant()
    plant.providers["a"] = Scripted("a", [Act(error=ServerFault("down"))])
    settings = Settings(providers=plants(a={}), observers=OBSERVED, breaker=BreakerSettings(failures=1))
    async with planted(settings, plant=plant, recorder=recorder) as router:
        with pytest.raises(ServerFault):
            await router.route("x")
        await router.reload(evolve(settings, providers=plants(a={}, b={})))
        assert (await router.route("x")).call
        assert router._kernel is not None
        assert router._kernel.wiring.state("a").breaker == "open"
    assert recorder.of(BreakerChanged) == [BreakerChanged(target="a", state="open")]


class Failing:
    """An observer that is broken."""

    wants: frozenset[type[Record]]

    def __init__(self, wants: Sequence[type[Record]]) -> None:
        self.wants = frozenset(wants)
        self.calls = 0

    def on(self, record: Record, /) -> None:
        self.calls += 1
        raise RuntimeError("observer is broken")


async def test_a_failing_observer_is_muted_with_one_warning_and_breaks_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from mlo.records import CallFinished

    failing = Failing([CallFinished])
    plugins = [_builtin, Plant(), RecorderPlugin(failing)]
    settings = Settings(providers=plants(a={}), observers=OBSERVED)
    async with Router(settings, plugins=plugins, registry=PluginRegistry(candidates=())) as router:
        for _ in range(20):
            assert (await router.route("x")).text
    assert failing.calls == 5
    assert len([record for record in caplog.records if "muted" in record.message]) == 1


async def test_a_provider_that_fails_while_closing_does_not_take_the_router_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Careless(Plant):
        @asynccontextmanager
        async def _open(self, options: Options, env: Environment) -> AsyncIterator[Provider]:
            yield Scripted("a")
            raise ServerFault("cannot hang up")

    async with planted(Settings(providers=plants(a={})), plant=Careless()) as router:
        await router.route("x")
    assert "failed while closing" in caplog.text


async def test_components_other_than_providers_cannot_wrap_providers() -> None:
    class Curious(Plant):
        @asynccontextmanager
        async def _open_key(self, options: KeyOptions, env: Environment) -> AsyncIterator[AuthScheme]:
            await env.provider("a")
            yield Key(options.key)

    async with planted(Settings(providers=plants(a={"key": "k"})), plant=Curious()) as router:
        with pytest.raises(ConfigError, match="only providers can wrap providers"):
            await router.route("x", target="a")


async def test_a_provider_cannot_wrap_one_that_is_not_there() -> None:
    async with planted(Settings(providers=plants(b={"inner": "zz"}))) as router:
        with pytest.raises(ConfigError, match="there is no provider 'zz'"):
            await router.route("x", target="b")
