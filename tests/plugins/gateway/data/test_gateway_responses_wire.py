from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported, fold
from mlo.messages import Image, Message, Role, Text, ToolCall, ToolChoice
from mlo.requests import ChatRequest, JsonSchema
from mlo.responses import FinishReason, Usage
from mlo_gateway.contracts import GatewayError
from mlo_gateway.wire.response_events import ResponseEventWriter
from mlo_gateway.wire.response_objects import ResponseFrame, whole_response
from mlo_gateway.wire.response_requests import RESPONSE_FIELDS, response_request

from .test_gateway_chat_wire import json_values

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def read(policy: Any = "refuse", /, **body: Any) -> ChatRequest:
    return response_request({"input": "Привет", **body}, policy, {"project": "crm"})


def refused(**body: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        read(**body)
    assert caught.value.status == 400
    return caught.value


def frame(**body: Any) -> ResponseFrame:
    return ResponseFrame(response_id="resp_1", model="m", created=1, body={"input": "Привет", **body})


def test_a_conversation_is_put_together() -> None:
    request = read(
        instructions="Кратко",
        input=[
            {"role": "user", "content": "Погода?"},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Спрошу"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Смотрю"}]},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"a": 1}', "id": "fc_1"},
            {"type": "function_call", "call_id": "2", "name": "f", "arguments": ""},
            {"type": "function_call_output", "call_id": "1", "output": "21"},
            {"type": "function_call_output", "call_id": "2", "output": [{"type": "input_text", "text": "22"}]},
            {"role": "developer", "content": [{"type": "input_text", "text": "Вежливо"}]},
        ],
        tools=[{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}],
        tool_choice={"type": "function", "name": "f"},
        text={"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True}},
        reasoning={"effort": "high", "summary": "auto"},
        max_output_tokens=9,
        store=False,
        include=["reasoning.encrypted_content"],
        truncation="disabled",
        parallel_tool_calls=True,
    )
    calls = (ToolCall(id="1", name="f", arguments='{"a": 1}'), ToolCall(id="2", name="f"))
    assert request.messages == (
        Message.system("Кратко"),
        Message.user("Погода?"),
        Message(role=Role.ASSISTANT, content="Смотрю", tool_calls=calls, reasoning="Спрошу"),
        Message(role=Role.TOOL, content="21", tool_call_id="1"),
        Message(role=Role.TOOL, content="22", tool_call_id="2"),
        Message.system("Вежливо"),
    )
    assert request.tool_choice == ToolChoice(mode="named", name="f")
    assert request.response_format == JsonSchema(schema={"type": "object"}, name="a", strict=True)
    assert (request.reasoning, request.sampling.max_tokens, request.extra) == ("high", 9, {})


def test_a_picture_in_the_input() -> None:
    content = [
        {"type": "input_text", "text": "Что?"},
        {"type": "input_image", "image_url": "data:image/png;base64,aGk="},
    ]
    request = read(input=[{"role": "user", "content": content}])
    assert request.messages[0].content == (Text("Что?"), Image(data=b"hi", media_type="image/png"))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 1}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"content": "a"}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "output": "a"}]}, "input[0].call_id"),
        ({"input": [{"type": "function_call_output", "call_id": "1"}]}, "input[0].output"),
        ({"input": [{"type": "item_reference", "id": "1"}]}, "input[0]"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f"}] * 2}, "tools"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_0"}, "previous_response_id"),
        ({"conversation": "conv_0"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"truncation": "auto"}, "truncation"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str) -> None:
    assert refused(**body).param == param


@given(st.dictionaries(st.sampled_from(sorted(RESPONSE_FIELDS.known)), json_values, max_size=4), json_values)
def test_any_json_is_read_or_refused(body: dict[str, Any], said: Any) -> None:
    try:
        request = response_request({**body, "input": said}, "refuse", {})
    except GatewayError as error:
        assert error.status == 400
    else:
        assert request.messages


_short = st.text("абв", max_size=3)
_events = st.lists(
    _short.map(TextDelta)
    | _short.map(ReasoningDelta)
    | st.builds(ToolCallDelta, index=st.integers(0, 2), id=st.just("c"), name=st.just("f"), arguments=_short)
    | st.just(UsageReported(Usage(prompt_tokens=3, completion_tokens=4))),
    max_size=12,
)


def parsed(data: bytes) -> list[Any]:
    """The events of a stream, each checked against the type that the official client has for it."""
    frames = [frame.split("\n") for frame in data.decode().split("\n\n") if frame]
    documents = [json.loads(lines[1].removeprefix("data: ")) for lines in frames]
    assert [lines[0] for lines in frames] == [f"event: {document['type']}" for document in documents]
    return [EVENTS.validate_python(document) for document in documents]


@given(_events, st.sampled_from(FinishReason))
def test_a_stream_says_what_the_events_said(pieces: list[Event], reason: FinishReason) -> None:
    events = [Started(model="m"), *pieces, Finished(reason)]
    writer = ResponseEventWriter(frame())
    told = parsed(b"".join(map(writer.write, events)))
    assert [event.sequence_number for event in told] == list(range(len(told)))
    assert [event.type for event in told[:2]] == ["response.created", "response.in_progress"]
    whole, final = fold(events), told[-1].response
    assert final.status == (
        "incomplete" if reason in {FinishReason.LENGTH, FinishReason.CONTENT_FILTER} else "completed"
    )
    assert "".join(part.text for item in final.output if item.type == "message" for part in item.content) == whole.text
    assert [item.arguments for item in final.output if item.type == "function_call"] == [
        call.arguments for index, call in sorted(_in_order(pieces, whole.tool_calls))
    ]
    deltas = "".join(event.delta for event in told if event.type == "response.output_text.delta")
    assert deltas == whole.text
    added = [event.item.id for event in told if event.type == "response.output_item.added"]
    done = [event.item.id for event in told if event.type == "response.output_item.done"]
    assert sorted(added) == sorted(done) == sorted(item.id for item in final.output)
    assert [item.id for item in final.output] == added
    assert len(set(added)) == len(added)
    if final.usage is not None:
        assert final.usage.total_tokens == 7


def _in_order(pieces: list[Event], calls: tuple[ToolCall, ...]) -> list[tuple[int, ToolCall]]:
    """Calls stand in the order in which they began, unless text came between their pieces."""
    seen: list[int] = []
    for piece in pieces:
        if isinstance(piece, ToolCallDelta) and piece.index not in seen:
            seen.append(piece.index)
    by_index = dict(zip(sorted(seen), calls, strict=True))
    return [(place, by_index[index]) for place, index in enumerate(seen)]


@given(_events)
def test_a_whole_response_is_what_the_client_expects(pieces: list[Event]) -> None:
    whole = fold([Started(model="m"), *pieces, Finished()])
    answer = Response.model_validate_json(whole_response(frame(tools=[{"type": "function", "name": "f"}]), whole))
    assert answer.output_text == whole.text
    assert [item.call_id for item in answer.output if item.type == "function_call"] == ["c"] * len(whole.tool_calls)
    assert (answer.status, answer.model, answer.object) == ("completed", "m", "response")


def test_a_stream_that_breaks_tells_what_there_was() -> None:
    writer = ResponseEventWriter(frame())
    data = writer.write(Started()) + writer.write(TextDelta("Да"))
    data += writer.fail(GatewayError(502, "stream_interrupted", "server_error", "Оборвалось"))
    last = parsed(data)[-1]
    assert (last.type, last.response.status, last.response.error.message) == ("response.failed", "failed", "Оборвалось")
    assert last.response.output[0].content[0].text == "Да"
