"""Calls through the kernel, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from mlo import (
    ChatRequest,
    EmbeddingRequest,
    FinishReason,
    Image,
    JsonSchema,
    Message,
    Router,
    Sampling,
    Text,
    ToolChoice,
    ToolDef,
)
from mlo.errors import InvalidRequest, Unsupported
from mlo.events import TextDelta, UsageReported

from .cloud import FOLDER, URI, Cloud, emulated, opened, routed

pytestmark = pytest.mark.anyio

FORECAST = ToolDef(
    name="forecast",
    description="Погода в городе",
    parameters={"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated(frame_chars=5) as found:
        yield found


@pytest.fixture
async def router(cloud: Cloud) -> AsyncIterator[Router]:
    async with routed(cloud) as found:
        yield found


async def test_answer_with_usage_and_cost(router: Router) -> None:
    response = await router.route("Привет")
    usage = response.usage
    assert (response.text, response.finish_reason, response.model) == ("Эхо: Привет", FinishReason.STOP, URI)
    assert usage.prompt_tokens is not None
    assert usage.completion_tokens is not None
    assert usage.cost is not None
    assert usage.cost.nano == (usage.prompt_tokens + usage.completion_tokens) * 1_200_000  # 1.20 RUB per 1000
    assert usage.cost.currency == "RUB"


async def test_stream_is_deltas(router: Router) -> None:
    async with router.route_stream("расскажи о себе") as stream:
        pieces = [event.text async for event in stream if isinstance(event, TextDelta)]
    assert pieces == ["Эхо: ", "расск", "ажи о", " себе"]


async def test_usage_grows_with_the_stream(router: Router) -> None:
    async with router.route_stream("расскажи о себе") as stream:
        counts = [event.usage.completion_tokens async for event in stream if isinstance(event, UsageReported)]
    assert len(counts) == 4
    assert counts == sorted(counts, key=lambda count: count or 0)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_bytes_may_be_cut_anywhere(cloud: Cloud, router: Router, size: int) -> None:
    cloud.change(wire_chunk=size, answer="мир\u2028и \u0085труд \U0001f30d")
    async with router.route_stream("?") as stream:
        text = "".join([event.text async for event in stream if isinstance(event, TextDelta)])
    assert text == "мир\u2028и \u0085труд \U0001f30d"


async def test_streams_in_a_row_use_one_connection(cloud: Cloud, router: Router) -> None:
    for _ in range(20):
        async with router.route_stream("расскажи о себе") as stream:
            async for _event in stream:
                pass
    assert cloud.journal["connections opened"] == 1


async def test_prompts_are_not_to_be_kept(cloud: Cloud, router: Router) -> None:
    await router.route("Привет")
    assert cloud.journal.requests[0].headers["x-data-logging-enabled"] == "false"


async def test_keeping_prompts_is_a_choice(cloud: Cloud) -> None:
    async with routed(cloud, data_logging=True) as router:
        await router.route("Привет")
        found = await router.models()
    assert cloud.journal.requests[0].headers["x-data-logging-enabled"] == "true"
    [models] = found.values()
    assert isinstance(models, tuple)
    assert {model.residency.stores_prompts for model in models} == {True}


async def test_every_attempt_has_its_own_id(cloud: Cloud, router: Router) -> None:
    responses = [await router.route("Привет") for _ in range(2)]
    ids = {request.headers["x-client-request-id"] for request in cloud.journal.requests}
    assert len(ids) == 2
    assert len({response.request_id for response in responses}) == 2


async def test_folder_header_for_a_persons_token(cloud: Cloud) -> None:
    async with routed(cloud, user_account=True) as router:
        await router.route("Привет")
    assert cloud.journal.requests[0].headers["x-folder-id"] == FOLDER


async def test_tool_calls_get_unique_ids_and_whole_numbers(router: Router) -> None:
    response = await router.route("forecast и ещё раз forecast", tools=[FORECAST])
    first, second = response.tool_calls
    assert response.finish_reason is FinishReason.TOOL_CALLS
    assert first.id != second.id
    assert first.arguments == '{"city": "Москва", "days": 1}'


async def test_results_go_back_in_the_order_of_the_calls(cloud: Cloud, router: Router) -> None:
    question = Message.user("forecast, forecast")
    asked = await router.route([question], tools=[FORECAST])
    first, second = asked.tool_calls
    turns = [question, asked.message, Message.tool(second, "дождь"), Message.tool(first, "солнце")]
    answered = await router.route(turns, tools=[FORECAST])
    assert answered.text == "Ответ по данным инструментов: солнце; дождь"
    *_, last = cloud.journal.requests[-1].json()["messages"]
    assert last["role"] == "user"


async def test_named_tool_is_asked_for(cloud: Cloud, router: Router) -> None:
    await router.route("?", tools=[FORECAST], tool_choice=ToolChoice(mode="named", name="forecast"))
    assert cloud.journal.requests[0].json()["toolChoice"] == {"functionName": "forecast"}


async def test_schema_is_honoured(router: Router) -> None:
    schema = {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"]}
    response = await router.route("Столица?", response_format=JsonSchema(schema=schema))
    assert response.text == '{"capital": "Москва"}'


async def test_reasoning_is_hidden_and_counted(cloud: Cloud, router: Router) -> None:
    response = await router.route("?", reasoning="high")
    assert cloud.journal.requests[0].json()["completionOptions"]["reasoningOptions"] == {"mode": "ENABLED_HIDDEN"}
    assert response.usage.reasoning_tokens == 24


async def test_content_filter_is_a_refusal(cloud: Cloud, router: Router) -> None:
    cloud.change(content_filter=True)
    response = await router.route("Привет")
    assert response.finish_reason is FinishReason.CONTENT_FILTER
    async with router.route_stream("Привет") as stream:
        async for _event in stream:
            pass
    assert stream.response().finish_reason is FinishReason.CONTENT_FILTER


async def test_answer_at_the_limit_says_so(router: Router) -> None:
    response = await router.route("раз два три", sampling=Sampling(max_tokens=3))
    assert response.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("model", ["yandexgpt", "qwen3-235b-a22b-fp8"])
@pytest.mark.parametrize("stop", [", т", ", три!"])
async def test_stop_sequences_on_this_side(cloud: Cloud, model: str, stop: str) -> None:
    cloud.change(answer="раз, два, три", frame_chars=2)
    request = ChatRequest(messages=(Message.user("?"),), model=model, sampling=Sampling(stop=(stop,)))
    async with routed(cloud, stop="client") as router:
        whole = await router.route(request)
        async with router.route_stream(request) as stream:
            async for _event in stream:
                pass
    assert whole.text == stream.response().text == "раз, два, три".partition(stop)[0]
    assert stream.response().finish_reason is FinishReason.STOP


async def test_images_are_for_the_models_that_see(cloud: Cloud, router: Router) -> None:
    picture = [Message.user((Text("?"), Image(data=b"png")))]
    await router.route(picture, target="yandex:gemma-3-27b-it")
    assert cloud.journal.requests[0].json()["messages"][0]["content"][1]["type"] == "image_url"
    with pytest.raises(Unsupported, match="read text only"):
        await router.route(picture)


async def test_empty_text_is_refused_for_open_weight_models_too(cloud: Cloud, router: Router) -> None:
    with pytest.raises(InvalidRequest, match="message 0 is empty"):
        await router.route("", target="yandex:gemma-3-27b-it")
    assert not cloud.journal.requests


async def test_branch_and_tuning_are_chosen_by_the_target(cloud: Cloud, router: Router) -> None:
    await router.route("?", target="yandex:yandexgpt-lite/latest@tuned")
    assert cloud.journal.requests[0].json()["modelUri"] == f"gpt://{FOLDER}/yandexgpt-lite/latest@tuned"


async def test_vendor_options_go_as_they_are(cloud: Cloud, router: Router) -> None:
    await router.route("?", tools=[FORECAST], extra={"parallelToolCalls": False, "completionOptions": {"maxTokens": 9}})
    sent = cloud.journal.requests[0].json()
    assert sent["parallelToolCalls"] is False
    assert sent["completionOptions"] == {"stream": False, "maxTokens": 9}


async def test_open_weight_models_take_the_other_side(cloud: Cloud, router: Router) -> None:
    response = await router.route("Привет", target="yandex:qwen3-235b-a22b-fp8/latest")
    [request] = cloud.journal.requests
    assert (request.path, request.headers["openai-project"]) == ("/v1/chat/completions", FOLDER)
    assert response.text == "Эхо: Привет"
    assert response.usage.cost is not None


async def test_open_weight_stream_has_cost(router: Router) -> None:
    async with router.route_stream("Привет", target="yandex:gpt-oss-20b/latest") as stream:
        async for _event in stream:
            pass
    assert stream.response().text == "Эхо: Привет"
    assert stream.response().usage.cost is not None


async def test_own_models_by_the_other_side_when_asked(cloud: Cloud) -> None:
    async with routed(cloud, api="openai") as router:
        response = await router.route("forecast, forecast", tools=[FORECAST])
        async with router.route_stream("Привет") as stream:
            async for _event in stream:
                pass
    assert len({call.id for call in response.tool_calls}) == 2
    assert stream.response().usage.total_tokens is None  # unknown, which is not zero


async def test_embeddings_choose_the_model_by_kind(cloud: Cloud, router: Router) -> None:
    found = await router.embed(["раз", "два"])
    await router.embed(EmbeddingRequest(texts=("три",), kind="query"))
    sent = [request.json()["modelUri"].split("/")[3] for request in cloud.journal.requests]
    assert sent == ["text-search-doc", "text-search-doc", "text-search-query"]
    assert [len(vector) for vector in found.vectors] == [256, 256]
    assert found.usage.cost is not None


async def test_models_have_price_context_and_privacy(router: Router) -> None:
    [found] = (await router.models()).values()
    assert isinstance(found, tuple)
    by_id = {model.id: model for model in found}
    pro = by_id[URI]
    assert (pro.context_tokens, pro.residency.region, pro.residency.stores_prompts) == (32768, "RU", False)
    assert pro.price is not None


async def test_tokens_are_counted_by_the_vendor(cloud: Cloud) -> None:
    async with opened(cloud) as provider:
        assert await provider.count_tokens(["Привет", "раз два"]) == [2, 2]


async def test_health_check_is_free(cloud: Cloud, router: Router) -> None:
    [health] = (await router.health()).values()
    assert health.healthy
    assert [request.path for request in cloud.journal.requests] == ["/foundationModels/v1/tokenize"]


async def test_classification_by_labels(cloud: Cloud) -> None:
    async with opened(cloud) as provider:
        labels = await provider.classify("новости: наука", ["спорт", "наука"], task="тема")
        own = await provider.classify("да или нет", model="yandexgpt-lite/latest@tuned")
    assert labels[0].name == "наука"
    assert {label.name for label in own} == {"да", "нет"}
