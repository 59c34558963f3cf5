"""The routing strategies inside a router, over mocks that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from mlo import ChatResponse, Router
from mlo.errors import AttemptsExhausted, InvalidRequest, NoTarget, StreamInterrupted
from mlo.events import TextDelta
from mlo.models import Price
from mlo.settings import ComponentSettings, ProviderSettings, RetrySettings, RouteSettings, Settings
from mlo_routing.plugin import mlo_strategies

pytestmark = pytest.mark.anyio

STRATEGIES = sorted(spec.name for spec in mlo_strategies())
ONCE = RetrySettings(rounds=1)
BUSY = {"mode": "overloaded"}


@asynccontextmanager
async def routing(
    strategy: str | Mapping[str, Any], prices: Mapping[str, Price] | None = None, /, **mocks: Mapping[str, Any]
) -> AsyncIterator[Router]:
    """A router whose route ``default`` goes over ``mocks`` in that order."""
    table = {"use": strategy} if isinstance(strategy, str) else dict(strategy)
    chosen = ComponentSettings(use=table.pop("use"), options=table, path="routes.default.strategy")
    providers = {
        name: ProviderSettings(use="mock", options=options, price=(prices or {}).get(name), path=f"providers.{name}")
        for name, options in mocks.items()
    }
    route = RouteSettings(targets=tuple(mocks), strategy=chosen, retry=ONCE, path="routes.default")
    async with Router(Settings(providers=providers, routes={"default": route})) as router:
        yield router


def who(response: ChatResponse) -> str:
    assert response.call is not None
    return response.call.target


async def asked(router: Router, times: int, **fields: Any) -> Counter[str]:
    return Counter([who(await router.route("Привет", **fields)) for _ in range(times)])


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_target_that_fails_is_passed_over(strategy: str) -> None:
    async with routing(strategy, a=BUSY, b={}, c=BUSY) as router:
        assert await asked(router, 4) == {"b": 4}


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_stream_that_cannot_begin_is_passed_over(strategy: str) -> None:
    async with routing(strategy, a=BUSY, b={"break_after": 0}, c={}) as router:
        async with router.route_stream("Привет") as stream:
            text = "".join([event.text async for event in stream if isinstance(event, TextDelta)])
        assert (stream.target, text) == ("c", "Эхо: Привет")


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_when_all_fail_every_failure_is_told(strategy: str) -> None:
    async with routing(strategy, a=BUSY, b={"mode": "rate-limit"}, c={"mode": "timeout"}) as router:
        with pytest.raises(AttemptsExhausted) as caught:
            await router.route("Привет")
    assert sorted(outcome.target.name for outcome in caught.value.outcomes) == ["a", "b", "c"]


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_fatal_error_does_not_wander(strategy: str) -> None:
    mocks = {name: {"mode": "invalid-request"} for name in "abc"}
    async with routing(strategy, **mocks) as router:
        with pytest.raises(InvalidRequest):
            await router.route("Привет")


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_embeddings_are_routed_as_well(strategy: str) -> None:
    async with routing(strategy, a=BUSY, b={}) as router:
        assert len((await router.embed(["раз", "два"])).vectors) == 2


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_many_calls_at_once_all_get_their_answer(strategy: str) -> None:
    texts: list[str] = []

    async def ask(router: Router, number: int) -> None:
        texts.append((await router.route(f"Вопрос {number}")).text)

    async with routing(strategy, a={"fail_every": 3}, b={"fail_every": 2}, c={}) as router:
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(ask, router, number)
    assert sorted(texts) == sorted(f"Эхо: Вопрос {number}" for number in range(30))


async def test_a_stream_that_broke_goes_to_nobody_else() -> None:
    async with routing("round-robin", a={"break_after": 1}, b={}) as router:
        with pytest.raises(StreamInterrupted) as caught:
            async with router.route_stream("Привет") as stream:
                async for _ in stream:
                    pass
    assert caught.value.partial.text == "Эхо:"


async def test_round_robin_shares_calls_out_evenly() -> None:
    async with routing("round-robin", a={}, b={}, c={}) as router:
        assert await asked(router, 9) == {"a": 3, "b": 3, "c": 3}


async def test_random_gets_everywhere() -> None:
    async with routing({"use": "random", "seed": 1}, a={}, b={}, c={}) as router:
        assert min((await asked(router, 60)).values()) > 8


async def test_weights_are_respected() -> None:
    async with routing({"use": "weighted", "weights": {"a": 4, "b": 1}, "seed": 1}, a={}, b={}) as router:
        counts = await asked(router, 200)
    assert 130 < counts["a"] < 190


async def test_the_quick_one_gets_the_calls() -> None:
    async with routing({"use": "least-latency", "seed": 1}, slow={"delay": 0.05}, quick={}) as router:
        counts = await asked(router, 20)
    assert counts == {"slow": 1, "quick": 19}


async def test_the_idle_one_gets_the_calls() -> None:
    async with routing("least-busy", a={"script": ["да"], "delay": 0.2}, b={}) as router:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(router.route, "Привет")
            await anyio.wait_all_tasks_blocked()
            assert await asked(router, 5) == {"b": 5}
            tasks.cancel_scope.cancel()


async def test_the_cheapest_gets_the_calls() -> None:
    prices = {"a": Price(prompt=200, completion=200), "b": Price(prompt=100, completion=100)}
    async with routing("cheapest", prices, free={**BUSY}, a={}, b={}) as router:
        assert await asked(router, 3) == {"b": 3}


async def test_a_session_stays_where_it_is_and_moves_only_when_it_must() -> None:
    sessions = [f"s-{number}" for number in range(12)]

    async def homes(**mocks: Mapping[str, Any]) -> dict[str, str]:
        async with routing("sticky", **mocks) as router:
            return {each: who(await router.route("Привет", metadata={"session": each})) for each in sessions}

    before, again = await homes(a={}, b={}, c={}), await homes(a={}, b={}, c={})
    without = await homes(a={}, b=BUSY, c={})
    assert before == again
    assert {each: home for each, home in before.items() if home != "b"}.items() <= without.items()
    assert "b" not in without.values()


async def test_a_slow_target_is_overtaken_and_let_go() -> None:
    async with routing({"use": "hedged", "stagger": 0.02}, stuck={"mode": "hang"}, quick={}) as router:
        response = await router.route("Привет")
        stream = router.route_stream("Привет")
        async with stream:
            assert [event async for event in stream]
    assert (who(response), stream.target) == ("quick", "quick")


async def test_a_quick_first_target_is_not_overtaken() -> None:
    async with routing({"use": "hedged", "stagger": 5}, first={}, second={"mode": "hang"}) as router:
        response = await router.route("Привет")
    assert response.call is not None
    assert [outcome.target.name for outcome in response.call.attempts] == ["first"]


async def test_a_cascade_goes_on_until_an_answer_will_do() -> None:
    weak = {"answer": "Не могу помочь."}
    cut = {"answer": "Потому", "finish_reason": "length"}
    async with routing("cascade", weak=weak, cut=cut, strong={"answer": "Потому что."}) as router:
        response = await router.route("Почему?")
        async with router.route_stream("Почему?") as stream:
            shown = "".join([event.text async for event in stream if isinstance(event, TextDelta)])
    assert (who(response), response.text) == ("strong", "Потому что.")
    assert (stream.target, shown) == ("strong", "Потому что.")


async def test_the_last_answer_of_a_cascade_is_taken_as_it_is() -> None:
    async with routing("cascade", a={"answer": "As an AI language model..."}, b={"answer": "I cannot help"}) as router:
        assert (await router.route("?")).text == "I cannot help"


async def test_capabilities_are_judged_before_the_strategy() -> None:
    provider = ProviderSettings(use="mock", capabilities=frozenset(), path="providers.a")
    async with Router(Settings(providers={"a": provider}), strategy="round-robin") as router:
        with pytest.raises(NoTarget, match="lacks embeddings"):
            await router.embed("раз")
