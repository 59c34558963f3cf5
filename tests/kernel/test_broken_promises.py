"""Plugins that do not do what the protocols say: the call survives or says who is to blame, and nothing stays held."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from math import inf, nan
from typing import Any

import anyio
import pytest

from mlo import ChatRequest, ChatResponse, Message, Router
from mlo.api import CallContext
from mlo.errors import (
    AnswerRejected,
    CallError,
    MloError,
    NoTarget,
    PluginFault,
    RateLimited,
    ServerFault,
    TransportFailed,
)
from mlo.events import Event, Finished, TextDelta
from mlo.routing import Step
from mlo.settings import ProviderSettings, RetrySettings, Settings
from tests.kernel.harness import routing
from tests.kernel.scripted import Act, Scripted

pytestmark = pytest.mark.anyio


class Odd(Scripted):
    """Gives what it was made with in place of an answer and of a stream."""

    def __init__(self, result: Callable[[], Any]) -> None:
        super().__init__("odd")
        self.result = result

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        answer: ChatResponse = self.result()
        return answer

    def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        stream: AsyncGenerator[Event, None] = self.result()
        return stream


async def _forgotten() -> None:
    await anyio.sleep(0)


def is_quiet(router: Router, target: str) -> bool:
    kernel = router._kernel
    assert kernel is not None
    state = kernel.wiring.state(target)
    return (state.in_flight, state.health._probing, kernel.wiring._calls) == (0, False, 0)


@pytest.mark.parametrize("result", [lambda: None, lambda: 5, lambda: "text"], ids=["none", "number", "text"])
async def test_an_answer_of_another_type_is_the_plugins_fault(result: Callable[[], Any]) -> None:
    async with routing(Odd(result)) as router:
        with pytest.raises(PluginFault, match=r"odd: generate\(\) gave .* instead of a ChatResponse"):
            await router.route("x", route="r")
        assert is_quiet(router, "odd")


@pytest.mark.parametrize("result", [lambda: None, lambda: iter(()), _forgotten], ids=["none", "iterator", "coroutine"])
async def test_a_stream_of_another_type_is_the_plugins_fault(result: Callable[[], Any]) -> None:
    async with routing(Odd(result)) as router:
        with pytest.raises(PluginFault, match="instead of an asynchronous generator"):
            async with router.route_stream("x", route="r") as stream:
                await anext(stream)
        assert is_quiet(router, "odd")


async def test_a_stream_that_fails_to_close_does_not_spoil_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def careless() -> AsyncGenerator[Event, None]:
        try:
            yield TextDelta("whole")
            yield Finished()
        finally:
            raise ValueError("cannot hang up")

    async with routing(Odd(careless)) as router:
        async with router.route_stream("x", route="r") as stream:
            [event async for event in stream]
        assert stream.response().text == "whole"
        assert is_quiet(router, "odd")
    assert "odd: the provider plugin failed to close its stream" in caplog.text


async def test_a_stream_that_will_not_be_cancelled_is_asked_again() -> None:
    async def stubborn() -> AsyncGenerator[Event, None]:
        yield TextDelta("a")
        with anyio.CancelScope(deadline=-inf):
            await anyio.sleep(60)
        yield TextDelta("b")
        await anyio.sleep(60)

    async with routing(Odd(stubborn)) as router:
        async with router.route_stream("x", route="r", deadline=0.02) as stream:
            with pytest.raises(MloError, match="within the deadline"):
                [event async for event in stream]
        assert is_quiet(router, "odd")


class Proposing:
    """A strategy that is whatever ``route`` was given."""

    def __init__(self, route: Callable[..., Any]) -> None:
        self.route = route


def _raises(*_: object) -> Any:
    raise ValueError("boom")


def _raises_later(*_: object) -> Any:
    raise ValueError("boom")
    yield


def _number(*_: object) -> Any:
    yield 5


@pytest.mark.parametrize(
    ("route", "complaint"),
    [
        (_raises, "raised ValueError: boom"),
        (_raises_later, "raised ValueError: boom"),
        (lambda *_: [], "gave list instead of a generator of steps"),
        (_number, "proposed int instead of a Step"),
    ],
    ids=["at-once", "later", "list", "number"],
)
async def test_a_bug_in_a_strategy_is_named_as_such(route: Callable[..., Any], complaint: str) -> None:
    async with routing(Scripted("a"), strategy=Proposing(route)) as router:
        with pytest.raises(CallError, match=f"strategy 'Proposing@1' of route 'r' {complaint}: a bug in the strategy"):
            await router.route("x", route="r")
        assert is_quiet(router, "a")


async def test_a_strategy_that_chooses_nobody_leaves_no_target() -> None:
    async with routing(Scripted("a"), Scripted("b"), strategy=Proposing(lambda *_: iter_nothing())) as router:
        with pytest.raises(NoTarget, match="chose none of: a, b") as caught:
            await router.route("x", route="r")
    assert caught.value.reasons == dict.fromkeys("ab", "not chosen by the strategy")


def iter_nothing() -> Any:
    yield from ()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bug_in_accept_is_the_strategys_and_not_the_providers(*, stream: bool) -> None:
    def route(_request: object, targets: Any) -> Any:
        yield Step(tuple(targets), accept=lambda _response: bool(1 / 0))

    async with routing(Scripted("a"), strategy=Proposing(route)) as router:
        with pytest.raises(AnswerRejected, match="a bug in the strategy") as caught:
            await (anext(router.route_stream("x", route="r")) if stream else router.route("x", route="r"))
        assert is_quiet(router, "a")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


async def test_a_race_with_a_stagger_that_is_no_number_starts_at_once() -> None:
    def route(_request: object, targets: Any) -> Any:
        yield Step(tuple(targets), stagger=nan, wait=nan)

    async with routing(Scripted("a", [Act(before=5)]), Scripted("b"), strategy=Proposing(route)) as router:
        assert (await router.route("x", route="r")).text.startswith("b#")


async def test_a_failure_in_the_moment_of_victory_is_no_part_of_the_race() -> None:
    gate = anyio.Event()

    class Gated(Scripted):
        async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
            await gate.wait()
            if self.name == "loser":
                raise ServerFault("down")
            return ChatResponse(message=Message.assistant("won"))

    def route(_request: object, targets: Any) -> Any:
        yield Step(tuple(targets))

    answers = []
    async with routing(Gated("winner"), Gated("loser"), strategy=Proposing(route)) as router:

        async def ask() -> None:
            answers.append(await router.route("x", route="r"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            gate.set()
    (answer,) = answers
    assert answer.call is not None
    assert answer.call.target == "winner"
    assert answer.call.attempts[-1].error is None


@pytest.mark.parametrize("retry_after", [nan, -5.0])
async def test_a_retry_after_that_makes_no_sense_counts_as_unknown(retry_after: float) -> None:
    limited = Scripted("a", [Act(error=RateLimited("slow down", retry_after=retry_after)), Act()])
    async with routing(limited, retry=RetrySettings(base=0.001)) as router:
        assert (await router.route("x", route="r")).text.startswith("a#2")


async def test_a_time_out_in_the_line_for_a_slot_says_nothing_of_the_targets_health() -> None:
    async with routing() as router:
        router.add_provider("a", Scripted("a", [Act(before=60)]), concurrency=1)
        router.add_route("hasty", ["a"], attempt_timeout=0.01, retry=RetrySettings(rounds=1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(router.route, "x")
            await anyio.wait_all_tasks_blocked()
            for _ in range(6):
                with pytest.raises(TransportFailed):
                    await router.route("x", route="hasty")
            assert router._kernel is not None
            assert router._kernel.wiring.state("a").breaker == "closed"
            tasks.cancel_scope.cancel()


async def test_the_error_of_an_unusable_target_does_not_grow_with_every_call() -> None:
    settings = Settings(providers={"a": ProviderSettings(use="nobody", path="providers.a")})
    depths = []
    async with routing(settings=settings) as router:
        for _ in range(5):
            with pytest.raises(MloError) as caught:
                await router.route("x", target="a")
            depths.append(len(caught.traceback))
    assert len(set(depths[1:])) == 1


async def test_a_concurrency_of_zero_is_no_limit() -> None:
    async with routing() as router:
        router.add_provider("a", Scripted("a"), concurrency=0)
        assert (await router.route("x")).text


async def test_a_route_without_rounds_still_tries_once() -> None:
    async with routing(Scripted("a"), retry=RetrySettings(rounds=0)) as router:
        assert (await router.route("x", route="r")).text
