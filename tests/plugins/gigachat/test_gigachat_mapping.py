"""Requests and answers, both versions, without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import InvalidRequest, ProtocolViolated, Unsupported
from mlo.events import Finished, ReasoningDelta, TextDelta, ToolCallDelta
from mlo.messages import FileRef, Message, Text, ToolCall, ToolChoice, ToolDef
from mlo.models import Money, Price
from mlo.requests import ChatRequest, JsonObject, JsonSchema, Sampling
from mlo.responses import FinishReason, Usage
from mlo_emulators.gigachat import Options
from mlo_emulators.gigachat import v1 as emulated_v1
from mlo_emulators.gigachat import v2 as emulated_v2
from mlo_gigachat import v1, v2
from mlo_gigachat.calls import envelope
from mlo_gigachat.choices import LOWEST_TEMPERATURE, tools_of
from mlo_gigachat.config import GigaChatConfig
from mlo_gigachat.facts import model_info, price_of, price_source
from mlo_gigachat.reading import Reading
from mlo_gigachat.stop import StopCutter

CONFIG = GigaChatConfig()
RUBLE = 10**9
TOOL = ToolDef(name="f", description="d", parameters={"type": "object", "properties": {"a": {"enum": [1, 2]}}})
OTHER = ToolDef(name="g", parameters={"type": "object", "properties": {"b": {"type": "string"}}})
BOTH = pytest.mark.parametrize("version", [v1, v2], ids=["v1", "v2"])


def ask(**fields: Any) -> ChatRequest:
    return ChatRequest(messages=(Message.user("привет"),), **fields)


def body(
    version: Any, request: ChatRequest, config: GigaChatConfig = CONFIG, *, stream: bool = False
) -> dict[str, Any]:
    found: dict[str, Any] = version.request_body(
        request, "GigaChat-2", tools_of(request, config), config, stream=stream
    )
    json.dumps(found)
    return found


def test_the_smallest_request_of_version_1() -> None:
    assert body(v1, ask()) == {"model": "GigaChat-2", "messages": [{"role": "user", "content": "привет"}]}


def test_the_smallest_request_of_version_2() -> None:
    assert body(v2, ask()) == {
        "model": "GigaChat-2",
        "messages": [{"role": "user", "content": [{"text": "привет"}]}],
    }


def test_every_option_of_version_1() -> None:
    config = GigaChatConfig(
        update_interval=0.5, profanity_check=False, functions=("text2image",), extra={"flags": ["x"]}
    )
    request = ask(
        tools=(TOOL,),
        tool_choice=ToolChoice(mode="named", name="f"),
        response_format=JsonSchema(schema={"type": "object"}),
        sampling=Sampling(temperature=0.5, top_p=0.9, max_tokens=10, repetition_penalty=1.1),
        reasoning="low",
    )
    found = body(v1, request, config, stream=True)
    assert found["function_call"] == {"name": "f"}
    assert [function["name"] for function in found["functions"]] == ["f", "text2image"]
    assert found["response_format"] == {"type": "json_schema", "schema": {"type": "object"}, "strict": True}
    rest = {
        key: value
        for key, value in found.items()
        if key not in {"functions", "function_call", "response_format", "messages", "model"}
    }
    assert rest == {
        "flags": ["x"],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 10,
        "repetition_penalty": 1.1,
        "reasoning_effort": "low",
        "profanity_check": False,
        "update_interval": 0.5,
        "stream": True,
    }


def test_every_option_of_version_2() -> None:
    config = GigaChatConfig(update_interval=0.5, profanity_check=False, functions=("text2image",))
    request = ask(
        tools=(TOOL,),
        tool_choice=ToolChoice(mode="named", name="f"),
        sampling=Sampling(temperature=0.5, max_tokens=10),
        reasoning="high",
    )
    found = body(v2, request, config, stream=True)
    assert found["tool_config"] == {"mode": "forced", "function_name": "f"}
    assert found["tools"][0] == {"image_generate": {}}
    assert found["tools"][1]["functions"]["specifications"][0]["name"] == "f"
    assert found["model_options"] == {
        "temperature": 0.5,
        "max_tokens": 10,
        "reasoning": {"effort": "high"},
        "update_interval": 0.5,
    }
    assert found["disable_filter"] is True


@BOTH
def test_a_whole_conversation_is_taken_by_the_emulator(version: Any) -> None:
    call = ToolCall(id="giga_state-1_0123456789ab", name="f", arguments='{"a": 1}')
    turns = (
        Message.system("s"),
        Message.user([Text("u"), FileRef(id="file-1")]),
        Message.assistant(tool_calls=(call,)),
        Message.tool(call, "plain"),
    )
    found = body(version, ChatRequest(messages=turns, tools=(TOOL, OTHER)))
    prompt = (emulated_v1 if version is v1 else emulated_v2).read(found, Options())
    assert [turn.role for turn in prompt.turns] == ["system", "user", "assistant", "function"]
    assert prompt.turns[1].files == ("file-1",)
    assert prompt.turns[3].text == '{"result": "plain"}'
    assert "state-1" in json.dumps(found)


@pytest.mark.parametrize("role", ["tool", "function"])
def test_the_role_of_results_in_version_2_can_be_chosen(role: Any) -> None:
    call = ToolCall(id="c", name="f")
    request = ChatRequest(messages=(Message.assistant(tool_calls=(call,)), Message.tool(call, "1")))
    assert body(v2, request, GigaChatConfig(tool_role=role))["messages"][1]["role"] == role


@pytest.mark.parametrize(
    ("given_", "sent"), [(0, LOWEST_TEMPERATURE), (0.0, LOWEST_TEMPERATURE), (0.3, 0.3), (None, None)]
)
def test_temperature_is_above_zero(given_: float | None, sent: float | None) -> None:
    assert body(v1, ask(sampling=Sampling(temperature=given_))).get("temperature") == sent


@pytest.mark.parametrize(
    ("sampling", "error", "said"),
    [
        (Sampling(stop=("x",)), Unsupported, "stop = 'emulate'"),
        (Sampling(seed=1), Unsupported, "seed = 'deterministic'"),
        (Sampling(top_k=1), Unsupported, "top_k"),
        (Sampling(frequency_penalty=1), Unsupported, "frequency_penalty"),
        (Sampling(presence_penalty=0.0), Unsupported, "presence_penalty"),
        (Sampling(temperature=-1), InvalidRequest, "temperature"),
        (Sampling(top_p=1.5), InvalidRequest, "top_p must be between 0 and 1"),
        (Sampling(max_tokens=0), InvalidRequest, "max_tokens must be above 0"),
        (Sampling(repetition_penalty=0), InvalidRequest, "repetition_penalty"),
    ],
)
@BOTH
def test_parameters_are_never_dropped_silently(
    version: Any, sampling: Sampling, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        body(version, ask(sampling=sampling))
    assert type(caught.value) is error


@BOTH
def test_seed_and_stop_are_emulated_when_allowed(version: Any) -> None:
    config = GigaChatConfig(seed="deterministic", stop="emulate")
    found = body(version, ask(sampling=Sampling(seed=1, stop=("x",), temperature=0.9)), config)
    assert found.get("model_options", found)["temperature"] == LOWEST_TEMPERATURE
    assert "stop" not in json.dumps(found)


@pytest.mark.parametrize(
    ("choice", "tools", "sent"),
    [
        (None, (TOOL,), "auto"),
        (ToolChoice(mode="auto"), (TOOL,), "auto"),
        (ToolChoice(mode="none"), (TOOL,), "none"),
        (ToolChoice(mode="required"), (TOOL,), {"name": "f"}),
        (ToolChoice(mode="named", name="g"), (TOOL, OTHER), {"name": "g"}),
    ],
)
def test_tool_choices(choice: ToolChoice | None, tools: tuple[ToolDef, ...], sent: object) -> None:
    assert body(v1, ask(tools=tools, tool_choice=choice))["function_call"] == sent


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"tools": (TOOL, OTHER), "tool_choice": ToolChoice(mode="required")}, Unsupported),
        ({"tools": (TOOL,), "tool_choice": ToolChoice(mode="named", name="x")}, InvalidRequest),
        ({"tools": (ToolDef(name="имя"),)}, InvalidRequest),
        ({"tools": (ToolDef(name="1f"),)}, InvalidRequest),
        ({"response_format": JsonSchema(schema={})}, InvalidRequest),
    ],
)
def test_what_gigachat_cannot_do_is_said(fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        body(v1, ask(**fields))


def test_schemas_may_go_as_they_are() -> None:
    found = body(v1, ask(tools=(TOOL,)), GigaChatConfig(tool_schemas="as-is"))
    assert found["functions"][0]["parameters"] == TOOL.parameters


def test_any_json_object_is_a_schema_that_requires_nothing() -> None:
    found = body(v1, ask(response_format=JsonObject()))["response_format"]
    assert found == {"type": "json_schema", "schema": {"type": "object", "properties": {}}, "strict": False}


def test_ids_become_headers_and_the_rest_fields() -> None:
    config = GigaChatConfig(client_id="configured", session_id="s")
    found = envelope({"client_id": "asked", "request_id": "r", "n": 2}, config)
    assert found.headers == {"x-client-id": "asked", "x-session-id": "s", "x-request-id": "r"}
    assert found.fields == {"n": 2}


@pytest.mark.parametrize("extra", [{"stream": True}, {"messages": []}, {"client_id": "a\nb"}, {"session_id": "ё"}])
def test_odd_extras_are_refused(extra: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        envelope(extra, CONFIG)


def _answer(message: dict[str, Any], finish: str = "stop", usage: dict[str, int] | None = None) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", **message}, "index": 0, "finish_reason": finish}
    return {"choices": [choice], "model": "GigaChat-2:2.0", "object": "chat.completions", "usage": usage or {}}


def test_a_whole_answer() -> None:
    price = Price(prompt=65 * RUBLE, completion=130 * RUBLE, cached=0)
    usage = {"prompt_tokens": 17, "completion_tokens": 3, "total_tokens": 20, "precached_prompt_tokens": 2}
    found = v1.response_of(
        _answer({"content": "Да.", "reasoning_content": "думаю"}, usage=usage), Reading(price=price, request_id="r")
    )
    assert (found.text, found.message.reasoning, found.model, found.request_id) == (
        "Да.",
        "думаю",
        "GigaChat-2:2.0",
        "r",
    )
    assert (found.usage.prompt_tokens, found.usage.cached_tokens, found.usage.total_tokens) == (19, 2, 22)
    assert found.usage.cost == Money(17 * 65_000 + 3 * 130_000)


def test_unknown_usage_is_unknown() -> None:
    found = v1.response_of(_answer({"content": "Да."}), Reading(price=Price(prompt=1, completion=1)))
    assert found.usage == Usage()


@pytest.mark.parametrize("arguments", [{"a": "2"}, '{"a": 2}'])
def test_a_call_with_arguments_as_object_or_text(arguments: object) -> None:
    tools = tools_of(ask(tools=(TOOL,)), CONFIG)
    message = {"content": "", "function_call": {"name": "f", "arguments": arguments}, "functions_state_id": "77d3"}
    found = v1.response_of(_answer(message, "function_call"), Reading(tools=tools))
    assert found.finish_reason is FinishReason.TOOL_CALLS
    assert found.tool_calls[0].parsed() == {"a": 2}
    assert found.tool_calls[0].id.startswith("giga_77d3_")


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("blacklist", FinishReason.CONTENT_FILTER),
        ("request_filter", FinishReason.CONTENT_FILTER),
        ("error", FinishReason.OTHER),
        ("something new", FinishReason.OTHER),
    ],
)
def test_finish_reasons(said: str, meant: FinishReason) -> None:
    found = v1.response_of(_answer({"content": "x"}, said), Reading())
    assert found.finish_reason is meant
    assert found.raw["finish_reason"] == said


@pytest.mark.parametrize(
    "answer", [{}, {"choices": []}, {"choices": {}}, {"choices": [{}]}, {"choices": [{"message": 1}]}]
)
def test_an_answer_without_a_message_is_none(answer: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolated):
        v1.response_of(answer, Reading())


def test_a_call_without_a_name_is_none() -> None:
    with pytest.raises(ProtocolViolated):
        v1.response_of(_answer({"function_call": {"arguments": {}}}), Reading())


def test_progress_of_a_builtin_function_is_not_text() -> None:
    reader = v1.ChunkReader(Reading())
    delta = {"role": "function_in_progress", "name": "text2image", "content": "12", "created": 1}
    assert not [event for event in reader.feed({"choices": [{"delta": delta}]}) if isinstance(event, TextDelta)]


def test_a_call_whose_finish_reason_comes_later() -> None:
    reader = v1.ChunkReader(Reading())
    call = {"content": "", "function_call": {"name": "f", "arguments": {}}}
    events = [*reader.feed({"choices": [{"delta": call}]})]
    assert not reader.complete
    events += reader.feed({"choices": [{"delta": {"content": ""}, "finish_reason": "function_call"}], "usage": {}})
    events += reader.end()
    assert [type(event) for event in events if isinstance(event, ToolCallDelta | Finished)] == [ToolCallDelta, Finished]
    assert isinstance(events[-1], Finished)
    assert events[-1].reason is FinishReason.TOOL_CALLS


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "content", "usage", "finish_reason", "messages", "role", "text", "model"]
                ),
                x,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_chunk_is_strange_enough_to_break_a_reader(chunk: Any) -> None:
    for reader in (v1.ChunkReader(Reading()), v2.ChunkReader(Reading())):
        try:
            events = [
                *reader.feed(chunk if isinstance(chunk, dict) else {"choices": chunk, "messages": chunk}),
                *reader.end(),
            ]
        except ProtocolViolated:
            continue
        assert isinstance(events[-1], Finished)


def test_version_2_may_repeat_a_call_at_its_end() -> None:
    reader = v2.ChunkReader(Reading())
    message = {"role": "assistant", "content": [{"function_call": {"name": "f", "arguments": {}}}]}
    events = [*reader.feed({"messages": [message]}, "response.message.delta")]
    events += reader.feed({"messages": [message], "finish_reason": "function_call"}, "response.message.done")
    assert len([event for event in events if isinstance(event, ToolCallDelta)]) == 1


def test_version_2_may_have_a_call_only_at_its_end_and_no_event_names() -> None:
    reader = v2.ChunkReader(Reading())
    message = {
        "role": "assistant",
        "tool_state_id": "s1",
        "content": [{"function_call": {"name": "f", "arguments": {}}}],
    }
    events = reader.feed({"messages": [message], "finish_reason": "function_call", "usage": {"input_tokens": 3}})
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    assert reader.ended
    assert str(calls[0].id).startswith("giga_s1_")


def test_version_2_answers_with_thoughts_and_files() -> None:
    messages = [
        {"role": "reasoning", "content": [{"text": "думаю"}]},
        {"role": "assistant", "content": [{"text": "вот"}, {"files": [{"id": "f1"}]}]},
    ]
    reader = v2.ChunkReader(Reading())
    events = reader.feed({"messages": messages, "finish_reason": "stop"}, "response.message.done")
    assert [event for event in events if isinstance(event, ReasoningDelta)] == [ReasoningDelta("думаю")]
    assert TextDelta('<img src="f1" fuse="true"/>') in events


def test_version_2_counts_cached_tokens_among_the_input() -> None:
    usage = {"input_tokens": 19, "input_tokens_details": {"prompt_tokens": 17, "cached_tokens": 2}, "output_tokens": 3}
    answer = {"messages": [], "finish_reason": "stop", "usage": usage or {}}
    found = v2.response_of(answer, Reading(price=Price(prompt=RUBLE, completion=RUBLE, cached=0))).usage
    assert (found.prompt_tokens, found.cached_tokens, found.total_tokens) == (19, 2, 22)
    assert found.cost == Money(20_000)


@given(st.text("абв", max_size=30), st.lists(st.text("абв", min_size=1, max_size=3), min_size=1, max_size=3), st.data())
def test_stops_cut_the_same_however_the_text_arrives(text: str, stops: list[str], data: st.DataObject) -> None:
    cutter, shown, rest = StopCutter(tuple(stops)), "", text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        shown += cutter.feed(rest[:size])
        rest = rest[size:]
    shown += cutter.rest()
    ends = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    assert shown == (text[: min(ends)[1]] if ends else text)
    assert cutter.hit is bool(ends)


def test_prices_are_dated_and_exact() -> None:
    source, checked_on = price_source()
    assert source
    assert checked_on >= "2026-01-01"
    assert price_of("GigaChat-2") == Price(prompt=65 * RUBLE, completion=65 * RUBLE, cached=0)
    assert price_of("GigaChat-2-Max-preview:2.0.28") == price_of("GigaChat-2-Max")
    assert price_of("GigaChat-3-Ultra") is None


def test_a_price_says_where_it_is_from() -> None:
    price = price_of("Embeddings")
    assert price is not None
    assert (price.source, price.checked_on) == price_source()


def test_what_is_known_of_a_model() -> None:
    assert model_info("GigaChat-2-Pro", "chat", "salutedevices").context_tokens == 128_000
    assert model_info("GigaChat-3-Ultra", "chat", None).context_tokens is None
    assert {str(one) for one in model_info("Embeddings", "embedder", None).capabilities} == {"embeddings"}
    assert not model_info("GigaFilter", "filter", None).capabilities
