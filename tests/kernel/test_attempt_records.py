"""What records say of choices and attempts: whom, where, at what price, how long in line, how much had come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from attrs import frozen

from mlo import Capability, Router, _builtin, hookimpl
from mlo._registry import PluginRegistry
from mlo.api import Environment, Provider, ProviderSpec, Steps
from mlo.errors import DeadlineExceeded, InvalidRequest, Overloaded, ServerFault, StreamInterrupted
from mlo.models import Price, Residency
from mlo.records import AttemptFailed, AttemptFinished, AttemptStarted, Record, RouteDecided, StepChosen
from mlo.routing import Request, Step, Target
from mlo.settings import BreakerSettings, ProviderSettings, RetrySettings, RouteSettings, Settings
from tests.kernel.harness import OBSERVED, RecorderPlugin, routing
from tests.kernel.scripted import Act, Recorder, Scripted

pytestmark = pytest.mark.anyio
ONCE = RetrySettings(rounds=1)
RUSSIA = Residency(region="RU", on_prem=False)


def only(recorder: Recorder, kind: type[Record]) -> Any:
    (record,) = recorder.of(kind)
    return record


class Scoring:
    """Proposes targets in order and says something about it."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        for place, target in enumerate(targets):
            yield Step((target,), scores={target.name: float(place)}, probability=1 / (place + 2))


async def test_each_step_is_told_before_its_attempts() -> None:
    recorder, failing = Recorder(), Scripted("a", [Act(error=ServerFault("down"))])
    async with routing(failing, Scripted("b"), recorder=recorder, strategy=Scoring(), retry=ONCE) as router:
        await router.route("x", route="r")
    told = [record for record in recorder.records if isinstance(record, RouteDecided | StepChosen | AttemptStarted)]
    assert [type(record) for record in told] == [RouteDecided, StepChosen, AttemptStarted, StepChosen, AttemptStarted]
    first, second = recorder.of(StepChosen)
    assert isinstance(first, StepChosen)
    assert isinstance(second, StepChosen)
    assert (first.targets, first.scores, first.probability) == (("a",), {"a": 0.0}, 0.5)
    assert (second.targets, second.scores, second.probability) == (("b",), {"b": 1.0}, 1 / 3)


class Racing:
    """All at once, and silent about it."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        yield Step(tuple(targets))


async def test_a_race_is_one_step() -> None:
    recorder = Recorder()
    async with routing(Scripted("a"), Scripted("b"), recorder=recorder, strategy=Racing()) as router:
        await router.route("x", route="r")
    step = only(recorder, StepChosen)
    assert (step.targets, step.scores, step.probability) == (("a", "b"), {}, None)


# places and prices


@frozen
class _Options:
    factor: int = 1


class _Vendor:
    """A provider whose models have prices of their own."""

    @hookimpl
    def mlo_providers(self) -> Iterable[ProviderSpec[Any]]:
        return [
            ProviderSpec(
                name="vendor",
                config=_Options,
                open=self._open,
                capabilities=frozenset(Capability),
                residency=RUSSIA,
                price=self._price,
            )
        ]

    def _price(self, config: _Options, model: str | None) -> Price | None:
        sizes = {"small": 1, "big": 10}
        size = None if model is None else sizes.get(model)
        return None if size is None else Price(prompt=size * config.factor, completion=size, source="list")

    @asynccontextmanager
    async def _open(self, _config: _Options, _env: Environment) -> AsyncIterator[Provider]:
        yield Scripted("vendor")


@asynccontextmanager
async def vending(recorder: Recorder, **providers: ProviderSettings) -> AsyncIterator[Router]:
    settings = Settings(providers=providers, routes={"r": RouteSettings(targets=("main:small",))}, observers=OBSERVED)
    plugins = [_builtin, RecorderPlugin(recorder), _Vendor()]
    async with Router(settings, plugins=plugins, registry=PluginRegistry(candidates=())) as router:
        yield router


@pytest.mark.parametrize(
    ("ask", "target", "model", "prompt_price"),
    [
        ({"route": "r"}, "main:small", "small", 2),
        ({"route": "r", "model": "big"}, "main:small", "big", 20),
        ({"route": "r", "model": "other"}, "main:small", "other", None),
        ({"target": "main"}, "main", None, None),
        ({"target": "main", "model": "big"}, "main", "big", 20),
        ({"target": "main:big"}, "main", "big", 20),
    ],
)
async def test_the_price_is_that_of_the_model_asked_for(
    ask: dict[str, Any], target: str, model: str | None, prompt_price: int | None
) -> None:
    recorder = Recorder()
    async with vending(recorder, main=ProviderSettings(use="vendor", options={"factor": 2})) as router:
        await router.route("x", **ask)
    started = only(recorder, AttemptStarted)
    assert (started.target, started.model, started.provider, started.plugin) == (target, model, "main", "vendor")
    assert (None if started.price is None else started.price.prompt) == prompt_price
    assert started.residency == RUSSIA


async def test_the_operators_price_is_for_every_model() -> None:
    price, recorder = Price(prompt=7, completion=7), Recorder()
    async with vending(recorder, main=ProviderSettings(use="vendor", price=price)) as router:
        await router.route("x", target="main:big")
    assert only(recorder, AttemptStarted).price == price


async def test_a_route_inside_a_route_is_called_so() -> None:
    recorder = Recorder()
    async with vending(recorder, main=ProviderSettings(use="vendor")) as router:
        router.add_route("outer", ["route:r"])
        await router.route("x", route="outer")
    outer, inner = recorder.of(AttemptStarted)
    assert isinstance(outer, AttemptStarted)
    assert isinstance(inner, AttemptStarted)
    assert (outer.target, outer.provider, outer.plugin, outer.price) == ("route:r", "route:r", "route", None)
    assert (inner.plugin, inner.residency) == ("vendor", RUSSIA)


# times and texts


async def test_the_wait_for_a_slot_is_told() -> None:
    recorder = Recorder()
    async with routing(recorder=recorder) as router:
        router.add_provider("a", Scripted("a", [Act(before=0.1)]), concurrency=1)
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(lambda: router.route("x", target="a"))
    first, second = recorder.of(AttemptFinished)
    assert isinstance(first, AttemptFinished)
    assert isinstance(second, AttemptFinished)
    assert first.queued < second.queued <= second.elapsed


async def test_who_never_left_the_line_has_not_reached_the_provider() -> None:
    recorder, provider = Recorder(), Scripted("a", [Act(before=60.0)])
    async with routing(recorder=recorder) as router:
        router.add_provider("a", provider, concurrency=1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: router.route("x", target="a"))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(DeadlineExceeded):
                await router.route("x", target="a", deadline=0.05)
            tasks.cancel_scope.cancel()
    waiting, playing = recorder.of(AttemptFailed)
    assert isinstance(waiting, AttemptFailed)
    assert isinstance(playing, AttemptFailed)
    assert (waiting.cancelled, waiting.reached) == (True, False)
    assert (playing.cancelled, playing.reached) == (True, True)
    assert playing.queued < waiting.queued <= waiting.elapsed


async def test_an_open_breaker_keeps_an_attempt_from_the_provider() -> None:
    recorder, provider = Recorder(), Scripted("a", [Act(before=0.05, error=ServerFault("down"))])
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=1))
    async with routing(provider, recorder=recorder, settings=settings, strategy=Twice(), retry=ONCE) as router:
        with pytest.raises(Exception, match="left alone"):
            await router.route("x", route="r")
    first, second = recorder.of(AttemptFailed)
    assert isinstance(first, AttemptFailed)
    assert isinstance(second, AttemptFailed)
    assert (first.reached, second.reached, type(second.error)) == (True, False, Overloaded)
    assert provider.plays == 1


class Twice:
    """The same target again."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        yield Step((targets[0],))
        yield Step((targets[0],))


async def test_the_text_of_an_answer_is_counted_not_shown() -> None:
    recorder = Recorder()
    async with routing(Scripted("a"), recorder=recorder) as router:
        answer = await router.route("x", route="r")
        async with router.route_stream("x", route="r") as stream:
            assert [event async for event in stream]
    whole, streamed = recorder.of(AttemptFinished)
    assert isinstance(whole, AttemptFinished)
    assert isinstance(streamed, AttemptFinished)
    assert whole.characters == streamed.characters == len(answer.text)
    assert (whole.first_event, streamed.first_event is not None) == (None, True)
    assert (whole.response, streamed.response) == (None, None)


async def test_what_had_come_of_a_broken_stream_is_counted() -> None:
    recorder, broken = Recorder(), Scripted("a", [Act(chunks=2, error=ServerFault("gone"))])
    async with routing(broken, recorder=recorder) as router, router.route_stream("x", route="r") as stream:
        with pytest.raises(StreamInterrupted):
            assert [event async for event in stream]
    failed = only(recorder, AttemptFailed)
    assert failed.characters == len("a#1.0 a#1.1 ")
    assert failed.first_event is not None


async def test_what_had_come_of_a_stream_left_early_is_counted() -> None:
    recorder = Recorder()
    async with routing(Scripted("a", [Act(chunks=3)]), recorder=recorder) as router:
        async with router.route_stream("x", route="r") as stream:
            for _ in range(2):
                await anext(stream)
    assert only(recorder, AttemptFailed).characters == len("a#1.0 ")


async def test_an_attempt_that_fails_at_once_has_no_first_event() -> None:
    recorder, failing = Recorder(), Scripted("a", [Act(error=InvalidRequest("no"))])
    async with routing(failing, recorder=recorder) as router:
        with pytest.raises(InvalidRequest):
            await router.route("x", route="r")
    failed = only(recorder, AttemptFailed)
    assert (failed.first_event, failed.characters, failed.reached) == (None, 0, True)
