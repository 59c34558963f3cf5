from __future__ import annotations

from typing import Any, Literal

import pytest

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import FileRef, Image, Message, Text, ToolCall, ToolChoice, ToolDef
from mlo.requests import ChatRequest, EmbeddingRequest, JsonObject, JsonSchema, Sampling
from mlo_sdk.openai_compat import Dialect, chat_to_wire, message_to_wire
from mlo_sdk.openai_compat.to_wire import embedding_to_wire

_PLAIN = Dialect()
_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def wire(dialect: Dialect = _PLAIN, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    """What is added to the least request by ``fields``."""
    request = ChatRequest(messages=(Message.user("Привет"),), **fields)
    sent = chat_to_wire(request, "m", dialect, stream=stream)
    assert (sent.pop("model"), sent.pop("messages")) == ("m", [{"role": "user", "content": "Привет"}])
    return sent


def test_the_least_request() -> None:
    assert wire() == {}


def test_a_stream_asks_for_token_counts_where_the_server_knows_how() -> None:
    assert wire(stream=True) == {"stream": True, "stream_options": {"include_usage": True}}
    assert wire(Dialect(stream_usage=False), stream=True) == {"stream": True}


def test_a_conversation() -> None:
    call = ToolCall(id="c1", name="add", arguments='{"a":1}')
    messages = [
        Message.system("Be brief"),
        Message(role="user", content="2+2?", name="Анна"),
        Message.assistant(tool_calls=(call,)),
        Message.tool(call, "4"),
    ]
    assert [message_to_wire(message, _PLAIN) for message in messages] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "2+2?", "name": "Анна"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}],
        },
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
    ]


def test_parts_that_are_all_text_become_text() -> None:
    assert message_to_wire(Message.user([Text("a"), Text("b")]), _PLAIN)["content"] == "ab"


def test_pictures_and_files() -> None:
    message = Message.user(
        [
            Text("?"),
            Image(url="https://a.example/b.png", detail="low"),
            Image(data=b"\x01\x02", media_type="image/jpeg"),
            FileRef(id="file-1"),
        ]
    )
    assert message_to_wire(message, Dialect(files=True))["content"] == [
        {"type": "text", "text": "?"},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AQI="}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]


def test_thinking_goes_back_only_where_it_is_wanted() -> None:
    message = Message(role="assistant", content="4", reasoning="2 and 2")
    assert message_to_wire(message, _PLAIN) == {"role": "assistant", "content": "4"}
    assert message_to_wire(message, Dialect(reasoning_history="reasoning_content"))["reasoning_content"] == "2 and 2"


def test_tools() -> None:
    tools = (ToolDef(name="add", description="Adds", parameters=_SCHEMA), ToolDef(name="b", strict=True))
    assert wire(tools=tools)["tools"] == [
        {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": _SCHEMA}},
        {
            "type": "function",
            "function": {
                "name": "b",
                "description": "",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            },
        },
    ]


_CHOICES: dict[str, tuple[ToolChoice, object]] = {
    "auto": (ToolChoice(), "auto"),
    "none": (ToolChoice(mode="none"), "none"),
    "required": (ToolChoice(mode="required"), "required"),
    "named": (ToolChoice(mode="named", name="add"), {"type": "function", "function": {"name": "add"}}),
}


@pytest.mark.parametrize(("choice", "sent"), _CHOICES.values(), ids=list(_CHOICES))
def test_tool_choice(choice: ToolChoice, sent: object) -> None:
    assert wire(tool_choice=choice) == {"tool_choice": sent}


_STYLES: dict[Literal["openai", "llama-cpp", "tgi"], dict[str, object]] = {
    "openai": {"type": "json_schema", "json_schema": {"name": "answer", "schema": _SCHEMA, "strict": True}},
    "llama-cpp": {"type": "json_object", "schema": _SCHEMA},
    "tgi": {"type": "json_object", "value": _SCHEMA},
}


@pytest.mark.parametrize(("style", "sent"), _STYLES.items(), ids=list(_STYLES))
def test_json_of_a_schema(style: Literal["openai", "llama-cpp", "tgi"], sent: object) -> None:
    assert wire(Dialect(json_schema=style), response_format=JsonSchema(schema=_SCHEMA)) == {"response_format": sent}


def test_some_json_object() -> None:
    assert wire(response_format=JsonObject()) == {"response_format": {"type": "json_object"}}


def test_sampling_under_the_servers_names() -> None:
    dialect = Dialect(sampling={"max_tokens": "max_completion_tokens", "stop": "stop", "temperature": "temperature"})
    sent = wire(dialect, sampling=Sampling(max_tokens=5, stop=("a", "b"), temperature=0.0))
    assert sent == {"max_completion_tokens": 5, "stop": ["a", "b"], "temperature": 0.0}


def test_reasoning_effort() -> None:
    assert wire(reasoning="low") == {"reasoning_effort": "low"}
    assert wire(reasoning="off") == {}
    assert wire(Dialect(reasoning={"off": {"think": False}}), reasoning="off") == {"think": False}


def test_options_of_the_server_and_of_the_caller_go_as_they_are() -> None:
    dialect = Dialect(extra={"service_tier": "flex", "user": "a"})
    assert wire(dialect, extra={"user": "b", "min_p": 0.1}) == {"service_tier": "flex", "user": "b", "min_p": 0.1}


_IMAGE = Message.user([Image(url="https://a.example/b.png")])
_UNSUPPORTED: dict[str, tuple[Dialect, dict[str, Any], str]] = {
    "sampling": (_PLAIN, {"sampling": Sampling(top_k=3)}, "no top_k"),
    "reasoning": (Dialect(reasoning={}), {"reasoning": "high"}, "high reasoning effort"),
    "json schema": (Dialect(json_schema="none"), {"response_format": JsonSchema(schema=_SCHEMA)}, "JSON of a schema"),
    "json object": (Dialect(json_object=False), {"response_format": JsonObject()}, "JSON object"),
    "tool choice": (
        Dialect(tool_choices=frozenset({"auto", "none"})),
        {"tool_choice": ToolChoice(mode="required")},
        "no tool choice 'required', only auto, none",
    ),
    "images": (Dialect(images=False), {"messages": (_IMAGE,)}, "no images"),
    "files": (_PLAIN, {"messages": (Message.user([FileRef(id="f")]),)}, "references to files"),
}


@pytest.mark.parametrize(("dialect", "fields", "message"), _UNSUPPORTED.values(), ids=list(_UNSUPPORTED))
def test_what_a_server_has_no_word_for_is_unsupported(dialect: Dialect, fields: dict[str, Any], message: str) -> None:
    request = ChatRequest(**{"messages": (Message.user("x"),), **fields})
    with pytest.raises(Unsupported, match=message):
        chat_to_wire(request, "m", dialect)


@pytest.mark.parametrize("field", ["messages", "stream"])
def test_extra_must_not_change_the_conversation_or_the_way_of_answering(field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"extra must not hold {field}"):
        wire(extra={field: True})


def test_an_embedding_request() -> None:
    request = EmbeddingRequest(texts=("a", "b"), dimensions=8, extra={"user": "x"})
    sent = embedding_to_wire(request, request.texts, "e")
    assert sent == {"model": "e", "input": ["a", "b"], "dimensions": 8, "user": "x"}
