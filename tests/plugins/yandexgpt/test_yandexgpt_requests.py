"""Requests: whatever is asked for passes the vendor's schema, or is refused before the network."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]  # no stubs in the package
from hypothesis import given
from hypothesis import strategies as st
from yandex.cloud.ai.foundation_models.v1.text_generation.text_generation_service_pb2 import CompletionRequest

from mlo import ChatRequest, Image, JsonObject, JsonSchema, Message, Sampling, ToolCall, ToolChoice, ToolDef
from mlo.errors import ContextTooLong, InvalidRequest, ProviderError, Unsupported
from mlo.messages import Text
from mlo_yandexgpt.mapping import completion_request

from .cloud import URI

WORDS = st.text(min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)
TOOLS = st.lists(
    st.builds(
        ToolDef, name=WORDS, description=st.text(max_size=9), parameters=OBJECTS, strict=st.none() | st.booleans()
    ),
    max_size=3,
    unique_by=lambda tool: tool.name,
)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    messages = [Message.user(draw(WORDS))]
    for number in range(draw(st.integers(0, 3))):
        calls = tuple(
            ToolCall(id=f"{number}-{index}", name=draw(WORDS), arguments=json.dumps(draw(OBJECTS)))
            for index in range(draw(st.integers(0, 2)))
        )
        messages.append(Message.assistant(draw(WORDS), tool_calls=calls))
        messages += draw(st.permutations([Message.tool(call, draw(st.text(max_size=9))) for call in calls]))
        messages.append(Message.user(draw(WORDS)))
    return messages


REQUESTS = st.builds(
    ChatRequest,
    messages=turns(),
    tools=TOOLS,
    tool_choice=st.sampled_from([None, ToolChoice(), ToolChoice(mode="required"), ToolChoice(mode="named", name="f")]),
    response_format=st.just(JsonObject()) | st.builds(JsonSchema, schema=OBJECTS),
    sampling=st.builds(Sampling, temperature=st.none() | st.floats(0, 1), max_tokens=st.none() | st.integers(1, 2**31)),
    reasoning=st.sampled_from([None, "off", "low", "high"]),
)


@given(REQUESTS, st.booleans())
def test_every_request_passes_the_schema(request: ChatRequest, stream: bool) -> None:
    parsed = ParseDict(completion_request(request, URI, stream=stream), CompletionRequest())
    assert parsed.completion_options.stream is stream
    assert parsed.model_uri == URI


def body(request: ChatRequest, **options: Any) -> dict[str, Any]:
    return completion_request(request, URI, stream=False, **options)


def asked(text: str = "Привет", **fields: Any) -> ChatRequest:
    return ChatRequest(messages=(Message.user(text),), **fields)


def test_numbers_are_sent_as_the_vendor_documents() -> None:
    options = body(asked(sampling=Sampling(temperature=0.3, max_tokens=100)))["completionOptions"]
    assert options == {"stream": False, "temperature": 0.3, "maxTokens": "100"}


def test_nothing_unasked_is_sent() -> None:
    assert body(asked()) == {
        "modelUri": URI,
        "completionOptions": {"stream": False},
        "messages": [{"role": "user", "text": "Привет"}],
    }


def test_text_beside_calls_is_a_message_of_its_own() -> None:
    call = ToolCall(id="1", name="f")
    turn = (Message.user("?"), Message.assistant("Сейчас", tool_calls=(call,)), Message.tool(call, "да"))
    roles = [(message["role"], *(set(message) - {"role"})) for message in body(ChatRequest(messages=turn))["messages"]]
    assert roles == [
        ("user", "text"),
        ("assistant", "text"),
        ("assistant", "toolCallList"),
        ("user", "toolResultList"),
    ]


@pytest.mark.parametrize(
    ("request_", "error", "said"),
    [
        (asked(sampling=Sampling(temperature=1.2)), InvalidRequest, "temperature is 1.2, YandexGPT takes 0 to 1"),
        (asked(sampling=Sampling(max_tokens=0)), InvalidRequest, "max_tokens"),
        (asked(sampling=Sampling(top_p=0.5, seed=1)), Unsupported, "no top_p, seed"),
        (asked(sampling=Sampling(stop=("!",))), Unsupported, 'stop = "client"'),
        (asked(""), InvalidRequest, "message 0 is empty"),
        (asked("я" * 100_001), ContextTooLong, "100001 characters"),
        (asked(tools=(ToolDef(name="f"), ToolDef(name="f"))), InvalidRequest, "several tools are called f"),
        (ChatRequest(messages=()), InvalidRequest, "no messages"),
        (ChatRequest(messages=(Message.user([Text("?"), Image(url="https://a/b.png")]),)), Unsupported, "Image"),
        (
            ChatRequest(messages=(Message.user("?"), Message.tool(ToolCall(id="7", name="f"), "да"))),
            InvalidRequest,
            "'7', which the message before did not make",
        ),
        (
            ChatRequest(messages=(Message.assistant(tool_calls=(ToolCall(id="7", name="f"),)), Message.user("?"))),
            InvalidRequest,
            "7 have no result",
        ),
        (
            ChatRequest(messages=(Message.assistant(tool_calls=(ToolCall(id="7", name="f", arguments="[]"),)),)),
            InvalidRequest,
            "not a JSON object",
        ),
    ],
)
def test_what_would_be_refused_is_refused_at_once(request_: ChatRequest, error: type[ProviderError], said: str) -> None:
    with pytest.raises(error, match=said):
        body(request_)


def test_a_result_twice_is_refused() -> None:
    call = ToolCall(id="1", name="f")
    turn = (Message.assistant(tool_calls=(call,)), Message.tool(call, "да"), Message.tool(call, "нет"))
    with pytest.raises(InvalidRequest, match="second time"):
        body(ChatRequest(messages=turn))


def test_reasoning_of_a_model_without_it() -> None:
    with pytest.raises(Unsupported, match="no reasoning mode"):
        body(asked(reasoning="high"), can_reason=False)
    assert "reasoningOptions" not in body(asked(reasoning="off"), can_reason=False)["completionOptions"]
    assert body(asked(reasoning="off"))["completionOptions"]["reasoningOptions"] == {"mode": "DISABLED"}
