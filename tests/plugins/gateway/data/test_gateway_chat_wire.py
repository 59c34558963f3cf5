from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported, fold
from mlo.messages import FileRef, Image, Message, Role, Text, ToolCall, ToolChoice
from mlo.models import Capability
from mlo.requests import ChatRequest, JsonObject, JsonSchema, Sampling
from mlo.responses import ChatResponse, FinishReason, Usage
from mlo_gateway.contracts import GatewayError
from mlo_gateway.data.estimates import chat_tokens, surveyed_tokens
from mlo_gateway.wire.chat_answers import ChunkWriter, completion
from mlo_gateway.wire.chat_requests import CHAT_FIELDS, chat_request, wants_usage
from mlo_gateway.wire.fields import parsed
from mlo_gateway.wire.survey import survey_of

USER = {"role": "user", "content": "Привет"}
FILE = {"type": "file", "file": {"file_id": "1"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def read(policy: Any = "refuse", /, **body: Any) -> ChatRequest:
    return chat_request({"messages": [USER], **body}, policy, {"project": "crm"})


def refused(policy: Any = "refuse", /, **body: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(policy, **body)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    return caught.value


def test_everything_finds_its_place() -> None:
    request = read(
        messages=[
            {"role": "developer", "content": "Кратко"},
            {"role": "user", "content": [{"type": "text", "text": "Что "}, {"type": "text", "text": "это?"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "21"},
            {"role": "assistant", "content": "Да", "reasoning_content": "Думаю"},
        ],
        tools=[TOOL],
        tool_choice={"type": "function", "function": {"name": "f"}},
        response_format={"type": "json_object"},
        reasoning_effort="minimal",
        temperature=0,
        top_p=0.5,
        max_tokens=1,
        max_completion_tokens=7,
        stop="END",
        seed=3,
        n=1,
        parallel_tool_calls=True,
        user="u",
        logprobs=False,
        prompt_cache_key="k",
    )
    assert request.messages == (
        Message.system("Кратко"),
        Message.user("Что это?"),
        Message.assistant(tool_calls=(ToolCall(id="1", name="f"),)),
        Message(role=Role.TOOL, content="21", tool_call_id="1"),
        Message(role=Role.ASSISTANT, content="Да", reasoning="Думаю"),
    )
    assert (request.tools[0].name, request.tools[0].strict) == ("f", True)
    assert request.tool_choice == ToolChoice(mode="named", name="f")
    assert request.response_format == JsonObject()
    assert request.reasoning == "low"
    assert request.sampling == Sampling(temperature=0, top_p=0.5, max_tokens=7, stop=("END",), seed=3)
    assert request.extra == {}
    assert request.metadata == {"project": "crm"}


def test_pictures_and_files() -> None:
    request = read(
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Смотри"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,aGk="}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                ],
            }
        ]
    )
    assert request.messages[0].content == (
        Text("Смотри"),
        Image(url="https://example.com/a.png", detail="low"),
        Image(data=b"hi", media_type="image/jpeg"),
        FileRef(id="file-1"),
    )


def test_a_schema_for_the_answer() -> None:
    schema = {"type": "object"}
    request = read(
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema, "strict": True}}
    )
    assert request.response_format == JsonSchema(schema=schema, name="a", strict=True)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{}]}, "messages[0].role"),
        ({"messages": [{"role": "root", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": 1, "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [1]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [USER, {"role": "tool", "content": "1"}]}, "messages[1].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "messages[0].tool_calls[0].function"),
        ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function.name"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": [1]}, "stop[0]"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
        ({"reasoning_effort": "maximal"}, "reasoning_effort"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"store": True}, "store"),
        ({"functions": [{}]}, "functions"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    assert refused(**body).param == param


@pytest.mark.parametrize(
    "url",
    ["", "ftp://x", "data:image/png;base64,", "data:image/png;base64,@@", "data:image/png,abc", "javascript:alert(1)"],
)
def test_addresses_of_pictures_are_checked(url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    assert refused(messages=[{"role": "user", "content": content}]).param == "messages[0].content[0].image_url.url"


def test_unknown_fields_by_policy() -> None:
    body = {"messages": [USER], "top_a": 1, "logit_bias": {"1": 2}, "min_p": None}
    with pytest.raises(GatewayError) as caught:
        CHAT_FIELDS.check(body, "refuse")
    assert (caught.value.code, caught.value.param) == ("unknown_parameter", "top_a")
    CHAT_FIELDS.check(body, "pass")
    assert read("pass", **body).extra == {"top_a": 1, "logit_bias": {"1": 2}}
    assert read("drop", **body).extra == {}
    assert CHAT_FIELDS.kept(body, "pass") is body
    assert CHAT_FIELDS.kept(body, "drop") == {"messages": [USER], "logit_bias": {"1": 2}, "min_p": None}


def test_usage_is_for_streams_only() -> None:
    assert wants_usage({"stream": True, "stream_options": {"include_usage": True}})
    assert not wants_usage({"stream": True, "stream_options": {}})
    with pytest.raises(GatewayError, match="only allowed when 'stream'"):
        wants_usage({"stream_options": {"include_usage": True}})


@given(st.dictionaries(st.sampled_from(sorted(CHAT_FIELDS.known)), json_values, max_size=4), json_values)
def test_any_json_is_read_or_refused(body: dict[str, Any], messages: Any) -> None:
    document = {**body, "messages": messages}
    try:
        survey_of(document)
        wants_usage(document)
        request = chat_request(document, "refuse", {})
    except GatewayError as error:
        assert error.status == 400
    else:
        assert request.messages


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    try:
        assert isinstance(parsed(body, 8), dict)
    except GatewayError as error:
        assert error.code in {"invalid_json", "nesting_too_deep"}


@given(st.integers(1, 20), st.integers(1, 20), st.booleans())
def test_depth_is_counted_in_levels(depth: int, limit: int, lists: bool) -> None:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value, {}] if lists else {"a": value, "b": "[[["}
    body = json.dumps({"root": value}).encode()
    levels = depth + (1 if lists and depth > 1 else 0)  # the empty object beside is a level, too
    if levels > limit:
        with pytest.raises(GatewayError, match="levels deep"):
            parsed(body, limit)
    else:
        assert parsed(body, limit)


@given(
    st.lists(
        st.fixed_dictionaries({"role": st.just("user"), "content": st.text(max_size=30)})
        | st.just(
            {"role": "user", "content": [{"type": "text", "text": "раз"}, {"type": "file", "file": {"file_id": "1"}}]}
        ),
        min_size=1,
        max_size=4,
    ),
    st.none() | st.just([TOOL]),
    st.sampled_from([None, {"type": "json_object"}, {"type": "json_schema", "json_schema": {"schema": {}}}]),
)
def test_the_survey_agrees_with_the_whole_request(messages: list[Any], tools: Any, form: Any) -> None:
    body: dict[str, Any] = {"messages": messages, "tools": tools, "response_format": form, "max_tokens": 9}
    survey, request = survey_of(body), chat_request(body, "refuse", {})
    assert survey.needs == request.needs()
    assert surveyed_tokens(survey, 9) == chat_tokens(request)


def test_the_survey_sees_pictures() -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://a/b"}}, "odd", {"type": "text", "text": 1}]
    survey = survey_of({"messages": [{"role": "user", "content": content}]})
    assert survey.needs == frozenset({Capability.CHAT, Capability.VISION})
    assert survey.attachments == 1


def test_a_whole_answer_is_what_the_client_expects() -> None:
    message = Message(
        role=Role.ASSISTANT,
        content="Да",
        tool_calls=(ToolCall(id="1", name="f", arguments='{"a": 1}'),),
        reasoning="Думаю",
    )
    usage = Usage(prompt_tokens=3, completion_tokens=4, cached_tokens=1, reasoning_tokens=2)
    response = ChatResponse(message=message, finish_reason=FinishReason.TOOL_CALLS, usage=usage, model="m1")
    answer = ChatCompletion.model_validate_json(completion(response, answer_id="x", model="m", created=1), strict=True)
    (choice,) = answer.choices
    assert (answer.model, choice.finish_reason, choice.message.content) == ("m1", "tool_calls", "Да")
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].model_dump()["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 1


@pytest.mark.parametrize("usage", [Usage(), Usage(prompt_tokens=1), Usage(total_tokens=1)])
def test_unknown_usage_is_left_out(usage: Usage) -> None:
    response = ChatResponse(message=Message.assistant("Да"), usage=usage, finish_reason=FinishReason.OTHER)
    answer = json.loads(completion(response, answer_id="x", model="m", created=1))
    assert "usage" not in answer
    assert (answer["model"], answer["choices"][0]["finish_reason"]) == ("m", "stop")


SHORT = st.text("abc", max_size=3)
_counts = st.builds(Usage, prompt_tokens=st.integers(0, 9), completion_tokens=st.integers(0, 9))
_pieces = st.lists(
    st.text(max_size=8).map(TextDelta)
    | st.text(max_size=8).map(ReasoningDelta)
    | st.builds(ToolCallDelta, index=st.integers(0, 2), id=SHORT, name=SHORT, arguments=SHORT)
    | _counts.map(UsageReported),
    max_size=12,
)


@given(_pieces, st.sampled_from(FinishReason), st.booleans())
def test_chunks_say_what_the_events_said(pieces: list[Event], reason: FinishReason, usage: bool) -> None:
    events = [Started(model="m"), *pieces, Finished(reason)]
    writer = ChunkWriter(answer_id="x", model="m", created=1, wants_usage=usage)
    frames = b"".join(map(writer.write, events)).decode().split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    chunks = [
        ChatCompletionChunk.model_validate_json(frame.removeprefix("data: "), strict=True) for frame in frames[:-2]
    ]
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    whole = fold(events)
    assert "".join(delta.content or "" for delta in deltas) == whole.text
    thought = "".join((delta.model_extra or {}).get("reasoning_content") or "" for delta in deltas)
    assert thought == (whole.message.reasoning or "")
    arguments: dict[int, str] = {}
    for call in (call for delta in deltas for call in delta.tool_calls or ()):
        assert call.function is not None
        arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    assert [arguments[index] or "{}" for index in sorted(arguments)] == [call.arguments for call in whole.tool_calls]
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    assert _usages(chunks) == ([_expected(whole.usage)] if usage and _expected(whole.usage) else [])


def _usages(chunks: list[ChatCompletionChunk]) -> list[tuple[int, int]]:
    return [(chunk.usage.prompt_tokens, chunk.usage.completion_tokens) for chunk in chunks if chunk.usage is not None]


def _expected(usage: Usage) -> tuple[int, int] | None:
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return usage.prompt_tokens, usage.completion_tokens


def test_errors_in_a_stream_are_told_as_the_client_expects() -> None:
    writer = ChunkWriter(answer_id="x", model="m", created=1, wants_usage=False)
    frame = writer.fail(GatewayError(502, "stream_interrupted", "server_error", "Оборвалось", details={"target": "a"}))
    document: Mapping[str, Any] = json.loads(frame.removeprefix(b"data: "))
    assert document["error"] == {
        "message": "Оборвалось",
        "type": "server_error",
        "param": None,
        "code": "stream_interrupted",
        "target": "a",
    }
