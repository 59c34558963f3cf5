"""The plugin openai-compat against a server that really generates: llama.cpp with random weights."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import pytest

from mlo import Router
from mlo.errors import AttemptsExhausted, ContextTooLong, TransportFailed
from mlo.events import TextDelta
from mlo.messages import Message
from mlo.requests import ChatRequest, JsonObject, JsonSchema, Sampling
from mlo.responses import FinishReason

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "population": {"type": "integer"},
        "kind": {"enum": ["town", "village"]},
    },
    "required": ["city", "population", "kind"],
}


@pytest.fixture
async def router(real_server: str) -> AsyncIterator[Router]:
    async with Router() as opened:
        opened.add_provider("real", use="openai-compat", preset="llama-cpp", base_url=real_server, model="tiny")
        yield opened


async def test_the_model_is_listed(router: Router) -> None:
    models = await router.models()
    assert [model.id for model in models["real"]] == ["tiny"]  # type: ignore[union-attr]  # an error would fail here
    assert (await router.health())["real"].healthy


async def test_chat(router: Router) -> None:
    answer = await router.route("Привет, как дела?", sampling=Sampling(max_tokens=24, temperature=0.8, seed=1))
    assert answer.text
    assert answer.finish_reason in {FinishReason.STOP, FinishReason.LENGTH}
    assert answer.usage.prompt_tokens
    assert answer.usage.completion_tokens
    assert answer.usage.completion_tokens <= 24


async def test_the_same_seed_gives_the_same_answer(router: Router) -> None:
    sampling = Sampling(max_tokens=16, temperature=1.0, seed=42)
    first, second = [(await router.route("ба бо бу", sampling=sampling)).text for _ in range(2)]
    assert first == second


async def test_a_stream_adds_up_to_the_whole_answer(router: Router) -> None:
    sampling = Sampling(max_tokens=40, temperature=0.0, seed=3)
    whole = await router.route("тра ла ла", sampling=sampling)
    async with router.route_stream("тра ла ла", sampling=sampling) as stream:
        pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
    assert len(pieces) > 1
    assert "".join(pieces) == whole.text


async def test_a_stop_word_ends_the_answer(router: Router) -> None:
    sampling = Sampling(max_tokens=200, temperature=1.0, seed=5, stop=("а",))
    answer = await router.route("стоп", sampling=sampling)
    assert "а" not in answer.text


async def test_an_answer_in_a_json_schema(router: Router) -> None:
    wanted = JsonSchema(schema=SCHEMA)
    answer = await router.route("Опиши город", response_format=wanted, sampling=Sampling(max_tokens=200, seed=7))
    value = json.loads(answer.text)
    assert set(value) == {"city", "population", "kind"}
    assert isinstance(value["population"], int)
    assert value["kind"] in {"town", "village"}


async def test_a_schema_holds_in_a_stream(router: Router) -> None:
    request = ChatRequest(
        messages=(Message.user("Опиши город"),),
        response_format=JsonSchema(schema=SCHEMA),
        sampling=Sampling(max_tokens=200, seed=8),
    )
    async with router.route_stream(request) as stream:
        text = "".join([event.text async for event in stream if isinstance(event, TextDelta)])
    assert set(json.loads(text)) == {"city", "population", "kind"}


async def test_an_answer_that_is_some_json_object(router: Router) -> None:
    answer = await router.route("json", response_format=JsonObject(), sampling=Sampling(max_tokens=300, seed=11))
    assert answer.text.lstrip().startswith("{")


async def test_a_prompt_that_does_not_fit(router: Router) -> None:
    with pytest.raises(ContextTooLong):
        await router.route("слово " * 2000, sampling=Sampling(max_tokens=8))


async def test_a_prompt_that_does_not_fit_a_stream_is_no_empty_answer(router: Router) -> None:
    # this server then sends HTTP 200 and an empty body, so the reason cannot be known
    with pytest.raises(AttemptsExhausted) as caught:
        async with router.route_stream("слово " * 2000, sampling=Sampling(max_tokens=8)) as stream:
            assert [event async for event in stream] == []
    assert {type(outcome.error) for outcome in caught.value.outcomes} == {TransportFailed}


async def test_four_streams_at_once_stay_apart(router: Router) -> None:
    sampling = Sampling(max_tokens=120, temperature=0.0)
    prompts = ("да да да", "no no no", "1 2 3", "мир и труд")
    alone = {prompt: (await router.route(prompt, sampling=sampling)).text for prompt in prompts}
    together: dict[str, str] = {}

    async def read(prompt: str) -> None:
        async with router.route_stream(prompt, sampling=sampling) as stream:
            together[prompt] = "".join([event.text async for event in stream if isinstance(event, TextDelta)])

    async with anyio.create_task_group() as tasks:
        for prompt in prompts:
            tasks.start_soon(read, prompt)
    assert together == alone


async def test_a_stream_left_early_leaves_the_server_able(router: Router) -> None:
    async with router.route_stream("раз два", sampling=Sampling(max_tokens=400)) as stream:
        async for event in stream:
            if isinstance(event, TextDelta):
                break
    assert (await router.route("три", sampling=Sampling(max_tokens=4))).usage.completion_tokens
