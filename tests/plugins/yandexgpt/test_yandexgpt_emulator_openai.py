"""The OpenAI-compatible side of the emulator against OpenAI's own client, dialect by dialect."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionToolUnionParam

from .cloud import FOLDER, KEY, URI, Cloud, emulated

QWEN = f"gpt://{FOLDER}/qwen3-235b-a22b-fp8/latest"
FORECAST: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {
        "name": "forecast",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulated(frame_chars=6) as found:
        yield found


@pytest.fixture
def client(cloud: Cloud) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{cloud.url}/v1", api_key=KEY, project=FOLDER, max_retries=0) as found:
        yield found


def chunks_of(
    client: openai.OpenAI, model: str, text: str, **tools: list[ChatCompletionToolUnionParam]
) -> list[ChatCompletionChunk]:
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], stream=True, tools=tools.get("tools", openai.omit)
    )
    with stream:
        return list(stream)


def text_of(chunks: list[ChatCompletionChunk]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@pytest.mark.parametrize("model", [URI, QWEN])
def test_whole_answer(client: openai.OpenAI, model: str) -> None:
    found = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Привет"}])
    assert found.choices[0].message.content == "Эхо: Привет"
    assert found.usage is not None
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


@pytest.mark.parametrize("model", [URI, QWEN])
def test_streams_deltas(client: openai.OpenAI, model: str) -> None:
    assert text_of(chunks_of(client, model, "расскажи о себе")) == "Эхо: расскажи о себе"


def test_dialects_of_model_names(client: openai.OpenAI) -> None:
    own, opened = (chunks_of(client, model, "Привет")[0] for model in (URI, QWEN))
    assert (own.model, opened.model) == (URI, "gpt://qwen3-235b-a22b-fp8/latest")
    assert opened.id.startswith("chatcmpl-")
    assert not own.id.startswith("chatcmpl-")


def test_usage_in_a_stream_only_of_open_models(client: openai.OpenAI) -> None:
    own, opened = (chunks_of(client, model, "Привет") for model in (URI, QWEN))
    assert [chunk for chunk in own if chunk.usage] == []
    assert opened[-1].usage is not None
    assert opened[-1].choices == []


def test_own_models_use_the_name_as_call_id(client: openai.OpenAI) -> None:
    [chunk] = chunks_of(client, URI, "forecast, forecast", tools=[FORECAST])
    calls = chunk.choices[0].delta.tool_calls or []
    assert [call.id for call in calls] == ["forecast", "forecast"]


def test_open_models_stream_arguments_in_fragments(client: openai.OpenAI) -> None:
    chunks = chunks_of(client, QWEN, "forecast", tools=[FORECAST])
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert (calls[0].id or "").startswith("chatcmpl-tool-")
    assert {call.id for call in calls[1:]} == {""}
    assert "".join((call.function and call.function.arguments) or "" for call in calls) == '{"city": "Москва"}'


def test_error_inside_the_stream(cloud: Cloud, client: openai.OpenAI) -> None:
    cloud.change(error_after_first=500)
    with pytest.raises(openai.APIError, match="failed while it generated"):
        chunks_of(client, URI, "расскажи о себе")


def test_models_need_the_project(cloud: Cloud, client: openai.OpenAI) -> None:
    assert f"gpt://{FOLDER}/yandexgpt/latest" in {model.id for model in client.models.list()}
    assert httpx.get(f"{cloud.url}/v1/models", headers={"Authorization": f"Api-Key {KEY}"}).status_code == 400


def test_embeddings_take_one_text(client: openai.OpenAI) -> None:
    model = f"emb://{FOLDER}/text-search-doc/latest"
    found = client.embeddings.create(model=model, input=["текст"], encoding_format="float")
    assert len(found.data[0].embedding) == 256
    with pytest.raises(openai.BadRequestError):
        client.embeddings.create(model=model, input=["один", "два"], encoding_format="float")


def test_gauge_is_shared_with_the_native_side(cloud: Cloud, client: openai.OpenAI) -> None:
    cloud.change(gauge=0)
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model=URI, messages=[{"role": "user", "content": "Привет"}])
