"""Messages, blocks, tools and formats on their way in; answers and metadata on their way out."""

from __future__ import annotations

import base64
import json
from typing import Any, Literal

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BaseModel

from mlo import FileRef, Image, JsonObject, JsonSchema, Message, Role, Text, ToolCall, ToolChoice
from mlo.errors import InvalidRequest, ServerFault
from mlo.events import Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported, fold
from mlo.models import Money
from mlo.requests import TextFormat
from mlo.responses import CallInfo, ChatResponse, Usage
from mlo.routing import Outcome, Target
from mlo_langchain.from_mlo import chunk_of, last_chunk, metadata_of, result_of, usage_of
from mlo_langchain.to_mlo import messages_of
from mlo_langchain.tools import choice_of, format_of, tool_of

PNG = b"\x89PNG"
DATA = base64.b64encode(PNG).decode()


def one(message: BaseMessage) -> Message:
    (found,) = messages_of([message])
    return found


# messages


@pytest.mark.parametrize(
    ("message", "role"),
    [
        (HumanMessage("a"), Role.USER),
        (SystemMessage("a"), Role.SYSTEM),
        (AIMessage("a"), Role.ASSISTANT),
        (ChatMessage(content="a", role="developer"), Role.SYSTEM),
        (ChatMessage(content="a", role="user"), Role.USER),
    ],
    ids=["human", "system", "ai", "developer", "user"],
)
def test_a_message_keeps_its_role(message: BaseMessage, role: Role) -> None:
    assert one(message) == Message(role=role, content="a")


def test_a_tool_message_gets_the_name_of_the_call_that_it_answers() -> None:
    call = {"name": "add", "args": {"a": "я"}, "id": "c1", "type": "tool_call"}
    asked, answered = messages_of([AIMessage("", tool_calls=[call]), ToolMessage("3", tool_call_id="c1")])
    assert asked.tool_calls == (ToolCall(id="c1", name="add", arguments='{"a": "я"}'),)
    assert answered == Message(role=Role.TOOL, content="3", name="add", tool_call_id="c1")


def test_a_broken_tool_call_is_sent_as_the_model_wrote_it() -> None:
    broken = {"name": "add", "args": '{"a":', "id": "c1", "error": "cut", "type": "invalid_tool_call"}
    assert one(AIMessage("", invalid_tool_calls=[broken])).tool_calls == (
        ToolCall(id="c1", name="add", arguments='{"a":'),
    )


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (FunctionMessage(content="a", name="f"), r"messages\[0\].*ToolMessage"),
        (RemoveMessage(id="1"), "RemoveMessage cannot be sent"),
        (ChatMessage(content="a", role="critic"), "'critic'.*assistant"),
        (HumanMessage([{"type": "video", "url": "https://example.com/v"}]), r"messages\[0\].content\[0\].*'video'"),
        (HumanMessage([{"type": "image", "base64": "???"}]), "base64 cannot be decoded"),
        (HumanMessage([{"type": "image"}]), "needs `base64`, `url` or `file_id`"),
        (HumanMessage([{"type": "file", "base64": DATA, "mime_type": "application/pdf"}]), "'file' cannot be sent"),
    ],
    ids=["function", "remove", "role", "video", "base64", "no image", "pdf"],
)
def test_what_cannot_be_sent_is_named(message: BaseMessage, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        messages_of([message])


def test_an_empty_conversation_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="there are none"):
        messages_of([])


# blocks


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "image", "base64": DATA, "mime_type": "image/jpeg"}, Image(data=PNG, media_type="image/jpeg")),
        ({"type": "image", "url": "https://example.com/p"}, Image(url="https://example.com/p")),
        ({"type": "image", "url": f"data:image/webp;base64,{DATA}"}, Image(data=PNG, media_type="image/webp")),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}}, Image(data=PNG)),
        ({"type": "image_url", "image_url": {"url": "https://example.com/p"}}, Image(url="https://example.com/p")),
        ({"type": "image_url", "image_url": "https://example.com/p"}, Image(url="https://example.com/p")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": DATA}},
            Image(data=PNG, media_type="image/gif"),
        ),
        (
            {"type": "image", "source_type": "base64", "data": DATA, "mime_type": "image/png"},
            Image(data=PNG, media_type="image/png"),
        ),
        ({"type": "file", "file_id": "f1", "mime_type": "text/plain"}, FileRef(id="f1", media_type="text/plain")),
        ({"type": "image", "file_id": "f1"}, FileRef(id="f1")),
    ],
    ids=["base64", "url", "data url", "openai data", "openai url", "bare url", "anthropic", "v0", "file", "image id"],
)
def test_a_picture_or_file_becomes_a_part(block: dict[str, Any], part: object) -> None:
    message = one(HumanMessage(["see", {"type": "text", "text": " this"}, block]))
    assert message.content == (Text("see"), Text(" this"), part)


def test_text_blocks_are_text() -> None:
    assert one(HumanMessage([{"type": "text", "text": "a"}, "b"])).content == "ab"


def test_calls_and_thoughts_inside_the_content_stand_where_they_belong() -> None:
    call = {"name": "f", "args": {}, "id": "c", "type": "tool_call"}
    content: list[str | dict[Any, Any]] = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "c", "name": "f", "input": {}},
        {"type": "tool_call", "id": "c", "name": "f", "args": {}},
    ]
    message = one(AIMessage(content, tool_calls=[call]))
    assert (message.content, message.reasoning, len(message.tool_calls)) == ("a", "hm", 1)


def test_what_a_model_said_can_be_said_again() -> None:
    calls = (ToolCall(id="c", name="f", arguments='{"a": [1, "я"]}'),)
    said = Message(role=Role.ASSISTANT, content="текст", tool_calls=calls, reasoning="мысль")
    back = result_of(ChatResponse(message=said)).generations[0].message
    assert one(back) == said


# tools and formats

TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        (False, None),
        ("auto", ToolChoice()),
        ("none", ToolChoice(mode="none")),
        ("any", ToolChoice(mode="required")),
        ("required", ToolChoice(mode="required")),
        (True, ToolChoice(mode="required")),
        ("f", ToolChoice(mode="named", name="f")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(mode="named", name="f")),
        ({"type": "any"}, ToolChoice(mode="required")),
        ({"type": "tool", "name": "f"}, ToolChoice(mode="named", name="f")),
    ],
    ids=str,
)
def test_a_choice_of_tools(choice: Any, expected: ToolChoice | None) -> None:
    assert choice_of(choice, ["f"]) == expected


def test_a_tool_called_like_a_mode_can_be_named() -> None:
    assert choice_of("auto", ["auto"]) == ToolChoice(mode="named", name="auto")


def test_a_choice_of_an_absent_tool_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'g', but there are f"):
        choice_of("g", ["f"])


def test_a_tool_keeps_its_schema() -> None:
    tool = tool_of(TOOL)
    assert (tool.name, tool.description, tool.parameters) == ("f", "d", {"type": "object"})


def test_a_vendors_own_tool_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="'web_search' is not a function"):
        tool_of({"type": "web_search"})


class Joke(BaseModel):
    setup: str


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, None),
        ({"type": "text"}, TextFormat()),
        ({"type": "json_object"}, JsonObject()),
        (JsonObject(), JsonObject()),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": False}},
            JsonSchema(schema={"type": "object"}, name="n", strict=False),
        ),
    ],
    ids=["none", "text", "object", "kernel", "schema"],
)
def test_a_format(wanted: Any, expected: object) -> None:
    assert format_of(wanted) == expected


def test_a_class_is_a_format() -> None:
    found = format_of(Joke)
    assert isinstance(found, JsonSchema)
    assert (found.name, found.schema["required"], found.strict) == ("Joke", ["setup"], True)


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="neither a schema"):
        format_of("xml")


# answers


def test_a_call_that_is_not_an_object_is_an_invalid_one() -> None:
    said = Message.assistant("", tool_calls=(ToolCall(id="c", name="f", arguments="[1]"),))
    message = result_of(ChatResponse(message=said)).generations[0].message
    assert isinstance(message, AIMessage)
    assert message.tool_calls == []
    assert message.invalid_tool_calls[0]["args"] == "[1]"


def test_unknown_usage_is_not_zero() -> None:
    assert usage_of(Usage(prompt_tokens=3)) is None


def test_known_usage_keeps_its_details() -> None:
    usage = Usage(prompt_tokens=5, completion_tokens=7, cached_tokens=2, reasoning_tokens=3)
    assert usage_of(usage) == {
        "input_tokens": 5,
        "output_tokens": 7,
        "total_tokens": 12,
        "input_token_details": {"cache_read": 2},
        "output_token_details": {"reasoning": 3},
    }


def test_metadata_say_how_the_answer_came_about() -> None:
    target = Target(name="giga:Max", provider="giga", model="Max", stats=TargetState())
    attempts = (Outcome(target=target, error=ServerFault("down", status=502)), Outcome(target=target, latency=0.5))
    call = CallInfo(call_id="c", target="giga:Max", route="r", attempts=attempts, duration=1.5)
    response = ChatResponse(message=Message.assistant("a"), usage=Usage(cost=Money(7)), call=call, request_id="q")
    told = metadata_of(response)
    assert json.loads(json.dumps(told)) == told
    assert told == {
        "model_provider": "multi-llm-orchestrator",
        "model_name": "Max",
        "finish_reason": "stop",
        "request_id": "q",
        "cost": {"nano": 7, "currency": "RUB"},
        "call_id": "c",
        "provider": "giga",
        "target": "giga:Max",
        "route": "r",
        "attempts": [
            {"target": "giga:Max", "latency": 0.0, "error": "ServerFault", "message": "down [HTTP 502]"},
            {"target": "giga:Max", "latency": 0.5},
        ],
        "duration": 1.5,
    }


@frozen
class TargetState:
    in_flight: int = 0
    breaker: Literal["closed"] = "closed"
    load: None = None


EVENTS = st.one_of(
    st.builds(TextDelta, st.text(max_size=5)),
    st.builds(ReasoningDelta, st.text(min_size=1, max_size=5)),
    st.builds(
        ToolCallDelta,
        index=st.integers(0, 2),
        id=st.none(),
        name=st.none(),
        arguments=st.sampled_from(["", '{"a"', ":1}"]),
    ),
    st.just(Started(model="m")),
    st.just(UsageReported(Usage(prompt_tokens=1, completion_tokens=2))),
)


@given(st.lists(EVENTS, max_size=12))
def test_chunks_add_up_to_the_answer(events: list[Any]) -> None:
    whole = fold([*events, Finished()])
    message = last_chunk(whole).message
    for event in reversed(events):
        if (chunk := chunk_of(event)) is not None:
            message = chunk.message + message
    assert message.text == whole.text
    assert message.additional_kwargs.get("reasoning_content") == whole.message.reasoning
    assert message.usage_metadata == usage_of(whole.usage)  # type: ignore[attr-defined]
    pieces = {piece["index"]: piece["args"] for piece in message.tool_call_chunks}  # type: ignore[attr-defined]
    told = [piece or "{}" for _, piece in sorted(pieces.items())]
    assert told == [call.arguments for call in whole.tool_calls]
