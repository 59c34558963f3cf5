"""Observers that are asked before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest
from attrs import define, field, frozen

from mlo import BlockingRouter, ChatRequest, Router, _builtin, hookimpl
from mlo._registry import PluginRegistry
from mlo.api import Environment, Gatekeeper, Observer, ObserverSpec
from mlo.errors import CallRefused, ConfigError, DeadlineExceeded
from mlo.records import CallFinished, CallStarted, Record, RouteDecided
from mlo.requests import EmbeddingRequest
from mlo.routing import Request
from mlo.settings import ComponentSettings, Settings
from tests.kernel.scripted import Recorder, Scripted

pytestmark = pytest.mark.anyio
Admit = Callable[[CallStarted, Request], Awaitable[None] | None]


@define(eq=False)
class Keeper:
    """Answers as a test says, and remembers what it was asked and told."""

    answer: Admit = lambda _call, _request: None
    asked: list[tuple[CallStarted, Request]] = field(factory=list)
    told: list[Record] = field(factory=list)
    wants: frozenset[type[Record]] = frozenset({CallStarted, RouteDecided, CallFinished})

    def on(self, record: Record, /) -> None:
        self.told.append(record)

    def admit(self, call: CallStarted, request: Request, /) -> Awaitable[None] | None:
        self.asked.append((call, request))
        return self.answer(call, request)


@frozen
class _NoOptions:
    pass


class _Plugin:
    """Offers ready observers by their names."""

    def __init__(self, observers: dict[str, Observer]) -> None:
        self._observers = observers

    @hookimpl
    def mlo_observers(self) -> Iterable[ObserverSpec[Any]]:
        return [
            ObserverSpec(name=name, config=_NoOptions, open=self._opener(observer))
            for name, observer in self._observers.items()
        ]

    def _opener(self, observer: Observer) -> Callable[[object, Environment], AbstractAsyncContextManager[Observer]]:
        @asynccontextmanager
        async def opened(_config: object, _env: Environment) -> AsyncIterator[Observer]:
            yield observer

        return opened


@asynccontextmanager
async def guarded(*providers: Scripted, capture: bool = False, **observers: Observer) -> AsyncIterator[Router]:
    settings = Settings(
        observers={name: ComponentSettings(use=name) for name in observers}, capture="content" if capture else "none"
    )
    registry = PluginRegistry(candidates=())
    async with Router(settings, plugins=[_builtin, _Plugin(observers)], registry=registry) as router:
        for provider in providers:
            router.add_provider(provider.name, provider)
        yield router


def refusing(call: CallStarted, request: Request) -> None:
    del call, request
    raise CallRefused("the budget is spent", reason="budget-exhausted", scope="project:x", retry_after=60.0)


def test_an_observer_with_the_method_is_one() -> None:
    assert isinstance(Keeper(), Gatekeeper)
    assert not isinstance(Recorder(), Gatekeeper)


async def test_it_is_asked_once_before_anything_else() -> None:
    keeper, provider = Keeper(), Scripted("a")

    def admit(call: CallStarted, request: Request) -> None:
        assert keeper.told == [call]
        assert provider.plays == 0
        assert request.metadata == call.metadata == {"key": "k-1"}

    keeper.answer = admit
    async with guarded(provider, keeper=keeper) as router:
        await router.route("x", metadata={"key": "k-1"})
    assert len(keeper.asked) == 1
    assert [type(record) for record in keeper.told] == [CallStarted, RouteDecided, CallFinished]


@pytest.mark.parametrize("capture", [False, True])
async def test_it_sees_the_request_whether_content_is_captured_or_not(capture: bool) -> None:
    keeper, request = Keeper(), ChatRequest.of("Привет")
    async with guarded(Scripted("a"), capture=capture, keeper=keeper) as router:
        await router.route(request)
    ((call, seen),) = keeper.asked
    assert seen == request
    assert call.request == (request if capture else None)


async def test_every_kind_of_call_is_asked_about() -> None:
    keeper = Keeper()
    async with guarded(Scripted("a"), keeper=keeper) as router:
        await router.route("x")
        async with router.route_stream("x") as stream:
            assert [event async for event in stream]
        await router.embed("x")
    assert [call.operation for call, _ in keeper.asked] == ["chat", "stream", "embed"]
    assert isinstance(keeper.asked[2][1], EmbeddingRequest)


async def test_a_refusal_reaches_the_caller_and_nobody_is_asked() -> None:
    keeper, provider = Keeper(refusing), Scripted("a")
    async with guarded(provider, keeper=keeper) as router:
        with pytest.raises(CallRefused) as caught:
            await router.route("x")
    refused = caught.value
    assert (refused.reason, refused.scope, refused.retry_after) == ("budget-exhausted", "project:x", 60.0)
    started, finished = keeper.told
    assert isinstance(started, CallStarted)
    assert isinstance(finished, CallFinished)
    assert refused.call_id == started.call_id == finished.call_id
    assert (finished.status, finished.error, finished.attempts, finished.target) == ("error", refused, 0, None)
    assert provider.plays == 0


async def test_a_refused_stream_fails_when_it_is_read() -> None:
    keeper, provider = Keeper(refusing), Scripted("a")
    async with guarded(provider, keeper=keeper) as router, router.route_stream("x") as stream:
        with pytest.raises(CallRefused):
            await anext(stream)
    assert provider.plays == 0
    assert isinstance(keeper.told[-1], CallFinished)


async def test_it_may_wait_first() -> None:
    async def later() -> None:
        await anyio.sleep(0.01)
        raise CallRefused("no", reason="closed")

    async with guarded(Scripted("a"), keeper=Keeper(lambda _call, _request: later())) as router:
        with pytest.raises(CallRefused, match="no"):
            await router.route("x")


async def test_its_waiting_counts_against_the_deadline() -> None:
    keeper, provider = Keeper(lambda _call, _request: anyio.sleep(60)), Scripted("a")
    async with guarded(provider, keeper=keeper) as router:
        with pytest.raises(DeadlineExceeded):
            await router.route("x", deadline=0.05)
    assert provider.plays == 0


@pytest.mark.parametrize("late", [False, True])
async def test_one_that_fails_refuses(late: bool) -> None:
    async def fail() -> None:
        await anyio.sleep(0)
        raise OSError("the disk is full")

    def admit(call: CallStarted, request: Request) -> Awaitable[None] | None:
        if late:
            return fail()
        raise OSError("the disk is full")

    provider = Scripted("a")
    async with guarded(provider, keeper=Keeper(admit)) as router:
        for _ in range(7):  # it is never muted, unlike one that fails to take a record
            with pytest.raises(CallRefused, match=r"'keeper' could not say.*OSError: the disk is full") as caught:
                await router.route("x")
    assert (caught.value.reason, caught.value.scope) == ("gatekeeper-failed", "keeper")
    assert isinstance(caught.value.__cause__, OSError)
    assert provider.plays == 0


async def test_one_that_fails_to_take_records_hears_of_later_ends_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Keeper):
        failures = 0

        def on(self, record: Record, /) -> None:
            if self.failures < 6:
                self.failures += 1
                raise OSError("the disk is full")
            super().on(record)

    keeper = Failing()
    async with guarded(Scripted("a"), keeper=keeper) as router:
        for _ in range(3):
            await router.route("x")
    assert any(isinstance(record, CallFinished) for record in keeper.told)
    assert [record.message for record in caplog.records if "gatekeeper" in record.message] == [
        "observer 'keeper' failed 5 times and goes on all the same, for it is a gatekeeper; the last error follows"
    ]


async def test_several_are_asked_in_their_order_until_one_refuses() -> None:
    first, second, third = Keeper(), Keeper(refusing), Keeper()
    async with guarded(Scripted("a"), first=first, second=second, third=third) as router:
        with pytest.raises(CallRefused):
            await router.route("x")
    assert [len(keeper.asked) for keeper in (first, second, third)] == [1, 1, 0]


async def test_a_route_inside_a_route_is_not_asked_about_again() -> None:
    keeper, provider = Keeper(), Scripted("a")
    async with guarded(provider, keeper=keeper) as router:
        router.add_route("inner", ["a"])
        router.add_route("outer", ["route:inner"])
        await router.route("x", route="outer")
        async with router.route_stream("x", route="outer") as stream:
            assert [event async for event in stream]
    assert [call.route for call, _ in keeper.asked] == ["outer", "outer"]
    started = [record for record in keeper.told if isinstance(record, CallStarted)]
    assert [(call.route, call.depth) for call in started] == [("outer", 0), ("inner", 1)] * 2
    assert [call.parent for call in started] == [None, started[0].call_id, None, started[2].call_id]
    assert len({call.call_id for call in started}) == 4


async def test_an_open_observer_can_be_had_by_name() -> None:
    keeper = Keeper()
    async with guarded(Scripted("a"), keeper=keeper) as router:
        assert await router.observer("keeper") is keeper
        with pytest.raises(ConfigError, match="did you mean 'keeper'"):
            await router.observer("keepr")


def test_threads_get_it_too() -> None:
    keeper = Keeper()
    settings = Settings(observers={"keeper": ComponentSettings(use="keeper")})
    with BlockingRouter(settings, plugins=[_Plugin({"keeper": keeper})]) as router:
        assert router.observer("keeper") is keeper
