"""The kernel over GigaChat: fallback, limits, prices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from mlo import Router
from mlo.errors import AttemptsExhausted, ContentBlocked, InvalidRequest, MloError, StreamInterrupted
from mlo.events import Started, TextDelta
from mlo.messages import Image, Message, Text
from mlo.responses import FinishReason
from mlo.settings import RetrySettings, Settings
from mlo_emulators.gigachat import Emulator, Options, create_app
from mlo_emulators.server import RunningServer, running

pytestmark = pytest.mark.anyio
ONCE = RetrySettings(rounds=1)


@asynccontextmanager
async def routed(
    url: str, emulator: Emulator, other: RunningServer | None = None, *, auth: Any = None, **faults: Any
) -> AsyncIterator[Router]:
    """A router over a failing GigaChat, then a second one (or the mock)."""
    emulator.configure(**faults)
    async with Router(Settings()) as router:
        oauth = {"use": "gigachat-oauth", "key": "env:GIGACHAT_KEY", "auth_url": f"{url}/api/v2/oauth", **(auth or {})}
        router.add_provider("giga", use="gigachat", base_url=f"{url}/v1", auth=oauth)
        if other is None:
            router.add_provider("spare", use="mock", answer="запасной ответ")
        else:
            second = {**oauth, "auth_url": f"{other.url}/api/v2/oauth"}
            router.add_provider("spare", use="gigachat", base_url=f"{other.url}/v1", auth=second)
        router.add_route("both", targets=["giga", "spare"], retry=ONCE)
        router.add_route("alone", targets=["giga"], retry=ONCE)
        yield router


@pytest.mark.parametrize(
    "faults",
    [
        {"fail_first": 9, "fail_status": 500},
        {"fail_first": 9, "fail_status": 502},
        {"fail_first": 9, "fail_status": 429},
        {"exhausted_models": ("GigaChat-2",)},
        {"drop_first": 9},
        {"oauth_down": True},
        {"stream_error": "status", "stream_error_after": 0},
        {"cut_after_bytes": 1},
    ],
    ids=["500", "502", "429", "402", "dropped", "oauth", "error first", "cut first"],
)
@pytest.mark.usefixtures("key")
async def test_another_provider_answers_before_the_first_event(
    url: str, emulator: Emulator, faults: dict[str, Any]
) -> None:
    async with routed(url, emulator, **faults) as router, router.route_stream("привет", route="both") as stream:
        events = [event async for event in stream]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "запасной ответ"
    assert stream.target == "spare"
    assert sum(isinstance(event, Started) for event in events) == 1


@pytest.mark.usefixtures("key")
async def test_a_second_gigachat_answers_over_real_sockets(url: str, emulator: Emulator) -> None:
    with running(create_app(Options(concurrency=0, answer="второй"))) as other:
        async with routed(url, emulator, other, fail_first=9, fail_status=502) as router:
            found = await router.route("привет", route="both")
    assert found.text == "второй"
    assert found.call is not None
    assert [type(outcome.error).__name__ for outcome in found.call.attempts] == ["ServerFault", "NoneType"]


@pytest.mark.parametrize(
    "faults",
    [{"cut_after_bytes": 300}, {"stream_error": "event"}, {"end_after_chunks": 1}],
    ids=["cut", "error", "ended"],
)
@pytest.mark.usefixtures("key")
async def test_after_the_first_event_nobody_else_answers(url: str, emulator: Emulator, faults: dict[str, Any]) -> None:
    shown = ""
    async with routed(url, emulator, **faults) as router:
        with pytest.raises(StreamInterrupted) as caught:
            async with router.route_stream("Расскажи длинную историю про Москву", route="both") as stream:
                async for event in stream:
                    shown += event.text if isinstance(event, TextDelta) else ""
    assert shown
    assert caught.value.partial.text == shown
    assert "запасной" not in shown


@pytest.mark.usefixtures("key")
async def test_a_wrong_request_does_not_wander(url: str, emulator: Emulator) -> None:
    async with routed(url, emulator) as router:
        with pytest.raises(InvalidRequest):
            await router.route(Message.user([Text("?"), Image(data=b"")]), route="both")


@pytest.mark.usefixtures("key")
async def test_a_refusal_is_marked_as_one(url: str, emulator: Emulator) -> None:
    async with routed(url, emulator) as router:
        found = await router.route("Поговорим про запретное", route="alone")
    assert found.finish_reason is FinishReason.CONTENT_FILTER
    assert ContentBlocked not in type(found).__mro__


@pytest.mark.usefixtures("key")
async def test_individuals_have_one_call_at_a_time(url: str, emulator: Emulator) -> None:
    async with routed(url, emulator, concurrency=1, trickle=0.005) as router:

        async def ask() -> None:
            async with router.route_stream("Расскажи что-нибудь", route="alone") as stream:
                assert [event async for event in stream]

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(ask)
    assert emulator.journal["status 429"] == 0
    assert max(emulator.accounts.peak.values()) == 1


@pytest.mark.parametrize("scope", ["GIGACHAT_API_B2B", "GIGACHAT_API_CORP"])
@pytest.mark.usefixtures("key")
async def test_companies_have_ten_calls_at_a_time(url: str, emulator: Emulator, scope: str) -> None:
    faults: dict[str, Any] = {"concurrency": 10, "trickle": 0.005, "key_scopes": (scope,)}
    async with routed(url, emulator, auth={"scope": scope}, **faults) as router:

        async def ask() -> None:
            async with router.route_stream("Расскажи что-нибудь", route="alone") as stream:
                assert [event async for event in stream]

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(ask)
    assert emulator.journal["status 429"] == 0
    assert 2 <= max(emulator.accounts.peak.values()) <= 10


@pytest.mark.usefixtures("key")
async def test_two_instances_of_one_key_share_token_and_slot(url: str, emulator: Emulator) -> None:
    async with routed(url, emulator, concurrency=1, trickle=0.002) as router:
        oauth = {"use": "gigachat-oauth", "key": "env:GIGACHAT_KEY", "auth_url": f"{url}/api/v2/oauth"}
        router.add_provider("max", use="gigachat", base_url=f"{url}/v1", model="GigaChat-2-Max", auth=oauth)
        async with anyio.create_task_group() as tasks:
            for target in ("giga", "max") * 4:
                tasks.start_soon(lambda name: router.route("привет", target=name), target)
    assert emulator.journal["oauth requests"] == 1
    assert emulator.journal["status 429"] == 0


@pytest.mark.usefixtures("key")
async def test_all_failures_are_told(url: str, emulator: Emulator) -> None:
    async with routed(url, emulator, fail_first=99, fail_status=500) as router:
        router.add_provider("third", use="mock", mode="rate-limit")
        router.add_route("bad", targets=["giga", "third"], retry=ONCE)
        with pytest.raises(AttemptsExhausted) as caught:
            await router.route("привет", route="bad")
    assert [type(outcome.error).__name__ for outcome in caught.value.outcomes] == ["ServerFault", "RateLimited"]


async def test_a_missing_key_names_the_variable(url: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIGACHAT_KEY", raising=False)
    async with routed(url, emulator) as router:
        with pytest.raises(MloError, match="GIGACHAT_KEY"):
            await router.route("привет", route="alone")
