"""The official client, over the mock, the emulators and a relayed server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from .running import Served

MODELS = ["mock", "giga", "yandex", "local", "relayed"]
SAID = "Скажи привет"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": SAID}]
# these emulators call a tool only when they have to
CHOICES: dict[str, Any] = {"mock": {"tool_choice": "required"}, "yandex": {"tool_choice": "required"}}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Погода в городе",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "город"}},
            "required": ["city"],
        },
    },
}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def client(gateway: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=gateway.url, api_key="anything", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("model", MODELS)
def test_chat(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=HELLO)
    assert SAID.split()[1] in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_chat_stream(client: OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert SAID.split()[1] in text
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_the_streaming_helper_adds_up(client: OpenAI, model: str) -> None:
    with client.chat.completions.stream(model=model, messages=HELLO) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    assert SAID.split()[1] in (final.choices[0].message.content or "")


@pytest.mark.parametrize("model", ["mock", "giga", "yandex", "local", "relayed"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_answered(client: OpenAI, model: str, streamed: bool) -> None:
    question: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Какая погода в Москве?"}]
    asked: dict[str, Any] = {"model": model, "messages": question, "tools": [WEATHER], **CHOICES.get(model, {})}
    if streamed:
        with client.chat.completions.stream(**asked) as stream:
            message: Any = stream.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**asked).choices[0].message
    (call,) = message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    assert call.function.arguments.startswith("{")
    function = {"name": call.function.name, "arguments": call.function.arguments}
    turn: Any = {
        "role": "assistant",
        "content": message.content,
        "tool_calls": [{"id": call.id, "type": "function", "function": function}],
    }
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 21}'}
    answer = client.chat.completions.create(model=model, messages=[*question, turn, result], tools=[WEATHER])
    assert answer.choices[0].message.content


@pytest.mark.parametrize("model", MODELS)
def test_structured_output(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(model=model, messages=HELLO, response_format=Person)
    assert isinstance(answer.choices[0].message.parsed, Person)


@pytest.mark.parametrize("model", MODELS)
def test_response(client: OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, input=SAID, instructions="Отвечай кратко", store=False)
    assert SAID.split()[1] in answer.output_text
    assert (answer.status, answer.instructions) == ("completed", "Отвечай кратко")
    assert answer.usage is not None
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("model", MODELS)
def test_response_stream(client: OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input=SAID) as stream:
        events = list(stream)
        final = stream.get_final_response()
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == final.output_text
    assert SAID.split()[1] in text
    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize("model", MODELS)
def test_a_response_calls_a_tool_and_goes_on(client: OpenAI, model: str) -> None:
    tools: Any = [{"type": "function", "strict": False, **WEATHER["function"]}]
    question: Any = [{"role": "user", "content": "Какая погода в Москве?"}]
    first = client.responses.create(model=model, input=question, tools=tools, **CHOICES.get(model, {}))
    (call,) = (item for item in first.output if item.type == "function_call")
    assert call.name == "weather"
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": '{"temperature": 21}'}
    history: Any = [item.model_dump(exclude_none=True) for item in first.output]
    second = client.responses.create(model=model, input=[*question, *history, result], tools=tools)
    assert second.output_text


@pytest.mark.parametrize("model", ["mock", "giga", "local"])
def test_a_structured_response(client: OpenAI, model: str) -> None:
    answer = client.responses.parse(model=model, input=SAID, text_format=Person)
    assert isinstance(answer.output_parsed, Person)


@pytest.mark.parametrize("model", ["mock", "giga", "yandex"])
def test_embeddings(client: OpenAI, model: str) -> None:
    packed = client.embeddings.create(model=model, input=["раз", "два"])
    plain = client.embeddings.create(model=model, input=["раз", "два"], encoding_format="float")
    assert [item.index for item in packed.data] == [0, 1]
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, rel=1e-5)


def test_models(client: OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert {"giga", "yandex", "local", "both", "gpt-4o-mini", "giga/GigaChat-2-Max", "local/tiny:latest"} <= set(ids)
    assert len(set(ids)) == len(ids)
    assert client.models.retrieve("giga/GigaChat-2-Max").owned_by
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("giga/GigaChat-99")


@pytest.mark.parametrize("model", ["both", "gpt-4o-mini", "giga/GigaChat-2-Max"])
def test_names(client: OpenAI, model: str) -> None:
    answer = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    assert answer.headers["x-mlo-target"].startswith("giga")
    assert answer.parse().model.startswith("GigaChat")


def test_a_picture(client: OpenAI) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTkzFAAAAABJRU5ErkJggg=="
    seen: Any = [
        {"type": "text", "text": "Что это?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel}"}},
    ]
    messages: Any = [{"role": "user", "content": seen}]
    answer = client.chat.completions.create(model="giga/GigaChat-2-Max", messages=messages)
    assert answer.choices[0].message.content
    with pytest.raises(openai.BadRequestError, match="read text only"):
        client.chat.completions.create(model="yandex", messages=messages)


def test_errors_are_of_the_clients_classes(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-99", messages=HELLO)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="mock", messages=HELLO, temperature=9)
    assert (wrong.value.code, wrong.value.param) == ("invalid_value", "temperature")
    with pytest.raises(openai.BadRequestError) as unknown:
        client.chat.completions.create(model="mock", messages=HELLO, extra_body={"temprature": 1})
    assert "Did you mean 'temperature'" in unknown.value.message
    with pytest.raises(openai.BadRequestError, match="store"):
        client.responses.create(model="mock", input="x", store=True)
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        client.responses.create(model="mock", input="x", previous_response_id="resp_1")


def test_the_client_repeats_as_told(gateway: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("openai._base_client.time.sleep", slept.append)
    with OpenAI(base_url=gateway.url, api_key="anything", max_retries=2) as client:
        answer = client.chat.completions.create(model="busy", messages=HELLO)
    assert answer.choices[0].message.content
    assert slept == [11]
