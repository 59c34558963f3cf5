"""Asynchronous generation: submitted, polled, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from mlo import ChatRequest, Sampling
from mlo.errors import DeadlineExceeded, InvalidRequest, ModelNotFound, ProtocolViolated, TransportFailed, Unsupported
from mlo.events import TextDelta
from mlo_sdk.http import HttpClient
from mlo_sdk.testing import context
from mlo_yandexgpt.errors import ERRORS
from mlo_yandexgpt.operations import Operations, Pace

from .cloud import Cloud, emulated, opened, routed

pytestmark = pytest.mark.anyio

ASK = ChatRequest.of("Привет")
QUICK: dict[str, Any] = {"mode": "async", "poll_first": 0.01, "poll_max": 0.02}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated() as found:
        yield found


async def test_async_mode_polls_and_costs_half(cloud: Cloud) -> None:
    async with routed(cloud, **QUICK) as router:
        response = await router.route("Привет")
    usage = response.usage
    assert response.text == "Эхо: Привет"
    assert len([each for each in cloud.journal.requests if each.path.startswith("/operations/")]) == 2
    assert usage.cost is not None
    assert usage.cost.nano == ((usage.prompt_tokens or 0) + (usage.completion_tokens or 0)) * 610_000


async def test_async_mode_streams_all_at_once(cloud: Cloud) -> None:
    async with routed(cloud, **QUICK) as router, router.route_stream("Привет") as stream:
        texts = [event.text async for event in stream if isinstance(event, TextDelta)]
    assert texts == ["Эхо: Привет"]


async def test_a_deadline_cancels_the_operation(cloud: Cloud) -> None:
    cloud.change(operation_polls=10_000)
    async with routed(cloud, **QUICK) as router:
        with pytest.raises(DeadlineExceeded):
            await router.route("Привет", deadline=0.3)
    assert cloud.journal.requests[-1].path.endswith(":cancel")


async def test_by_hand(cloud: Cloud) -> None:
    async with opened(cloud) as provider:
        operation = await provider.submit(ASK)
        early = await provider.result(operation)
        done = await provider.result(operation)
    assert early is None
    assert done is not None
    assert done.text == "Эхо: Привет"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ChatRequest(messages=ASK.messages, sampling=Sampling(stop=("!",))), "stop sequences"),
        (ChatRequest(messages=ASK.messages, model="gpt-oss-20b"), "no asynchronous mode"),
    ],
)
async def test_what_an_operation_cannot_do_is_not_submitted(cloud: Cloud, request_: ChatRequest, said: str) -> None:
    async with opened(cloud, stop="client") as provider:
        with pytest.raises(Unsupported, match=said):
            await provider.submit(request_)
    assert not cloud.journal.requests


@pytest.mark.parametrize("name", ["../v1/models", "", "a?b"])
async def test_an_id_leads_nowhere_else(cloud: Cloud, name: str) -> None:
    async with opened(cloud) as provider:
        with pytest.raises(InvalidRequest, match="is not the id of an operation"):
            await provider.result(name)
        with pytest.raises(InvalidRequest, match="is not the id of an operation"):
            await provider.cancel(name)
    assert not cloud.journal.requests


async def test_a_cancelled_operation_has_no_result(cloud: Cloud) -> None:
    async with opened(cloud) as provider:
        operation = await provider.submit(ASK)
        await provider.cancel(operation)
        with pytest.raises(TransportFailed, match="cancelled"):
            await provider.result(operation)


async def test_an_unknown_operation(cloud: Cloud) -> None:
    async with opened(cloud) as provider:
        with pytest.raises(ModelNotFound, match="not found"):
            await provider.result("d7qnone")


async def test_a_failed_look_is_repeated(cloud: Cloud) -> None:
    async with opened(cloud, **QUICK) as provider:
        cloud.change(operation_polls=3)
        cloud.world.fail_looks = 2
        assert (await provider.generate(ASK, context())).text == "Эхо: Привет"


async def test_looks_that_always_fail_are_told(cloud: Cloud) -> None:
    async with HttpClient("http://127.0.0.1:9", errors=ERRORS) as client:
        operations = Operations(client, Pace(first=0.0, longest=0.0))
        with anyio.fail_after(5), pytest.raises(TransportFailed):
            await operations.wait({"id": "d7q", "done": False})


async def test_an_operation_may_end_in_an_error() -> None:
    async with HttpClient("http://127.0.0.1:9", errors=ERRORS) as client:
        operations = Operations(client, Pace())
        with pytest.raises(InvalidRequest, match="empty message text"):
            operations.result({"id": "d7q", "done": True, "error": {"code": 3, "message": "empty message text"}})
        with pytest.raises(ProtocolViolated, match="without response or error"):
            operations.result({"id": "d7q", "done": True})
        with pytest.raises(ProtocolViolated, match="without an id"):
            await operations.wait({})
