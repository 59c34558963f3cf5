from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import MloError, ProtocolViolated
from mlo.messages import ToolCall
from mlo.responses import ChatResponse, FinishReason, Usage
from mlo_sdk.openai_compat import ChunkReader, Dialect, embeddings_of, finish_reason, models_of, response_of, usage_of

_PLAIN = Dialect()
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def answer(message: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Привет", **(message or {})}}
    return {"id": "a-1", "model": "m-1", "choices": [{**choice, "finish_reason": "stop"}], **fields}


def response(message: dict[str, Any] | None = None, **fields: Any) -> ChatResponse:
    return response_of(answer(message, **fields), _PLAIN, "r-1")


def test_a_plain_answer() -> None:
    found = response()
    assert (found.text, found.finish_reason, found.tool_calls) == ("Привет", FinishReason.STOP, ())
    assert (found.model, found.response_id, found.request_id) == ("m-1", "a-1", "r-1")
    assert (found.usage, found.raw) == (Usage(), {"finish_reason": "stop"})


def test_what_the_server_says_beyond_is_kept() -> None:
    assert response(system_fingerprint="fp", service_tier=None).raw == {
        "finish_reason": "stop",
        "system_fingerprint": "fp",
    }


def test_content_may_be_absent_or_in_parts() -> None:
    assert response({"content": None}).text == ""
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}, "c", {"type": "text"}]
    assert response({"content": parts}).text == "ab"


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_thinking(field: str) -> None:
    assert response({field: "2 and 2"}).message.reasoning == "2 and 2"


def test_a_refusal_is_no_answer() -> None:
    found = response({"content": None, "refusal": "I can't"})
    assert (found.text, found.finish_reason) == ("I can't", FinishReason.CONTENT_FILTER)


def test_tool_calls() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
        {"function": {"name": "sub", "arguments": {"a": "б"}}},
        {"id": "", "function": {"name": "now"}},
    ]
    found = response({"content": "", "tool_calls": calls})
    assert found.finish_reason is FinishReason.TOOL_CALLS  # although the server says "stop"
    first, second, third = found.tool_calls
    assert first == ToolCall(id="c1", name="add", arguments='{"a":1}')
    assert (second.name, second.arguments) == ("sub", '{"a":"б"}')
    assert (third.name, third.arguments) == ("now", "{}")
    assert len({"", second.id, third.id}) == 3


def test_ids_of_calls_that_the_server_does_not_keep_apart_are_replaced() -> None:
    calls = [{"id": "add", "function": {"name": "add"}}] * 2
    turns = [response_of(answer({"tool_calls": calls}), Dialect(unique_call_ids=True)) for _ in range(2)]
    assert len({call.id for turn in turns for call in turn.tool_calls} - {"add"}) == 4


_REASONS: dict[str, tuple[object, FinishReason]] = {
    "stop": ("stop", FinishReason.STOP),
    "eos_token": ("eos_token", FinishReason.STOP),
    "length": ("length", FinishReason.LENGTH),
    "tool_calls": ("tool_calls", FinishReason.TOOL_CALLS),
    "function_call": ("function_call", FinishReason.TOOL_CALLS),
    "content_filter": ("content_filter", FinishReason.CONTENT_FILTER),
    "unknown": ("insufficient_system_resource", FinishReason.OTHER),
    "absent": (None, FinishReason.OTHER),
    "not text": ([1], FinishReason.OTHER),
}


@pytest.mark.parametrize(("word", "reason"), _REASONS.values(), ids=list(_REASONS))
def test_finish_reasons(word: object, reason: FinishReason) -> None:
    assert finish_reason(word) is reason


_USAGES: dict[str, tuple[object, Usage]] = {
    "openai": (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
        Usage(prompt_tokens=10, completion_tokens=5, total_tokens=15, cached_tokens=4, reasoning_tokens=2),
    ),
    "deepseek": (
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 4},
        Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=4),
    ),
    "nulls": ({"prompt_tokens": None, "prompt_tokens_details": None, "total_tokens": 0}, Usage(total_tokens=0)),
    "strings": ({"prompt_tokens": "10", "completion_tokens": "x"}, Usage(prompt_tokens=10)),
    "floats": ({"prompt_tokens": 10.0, "completion_tokens": 1.5}, Usage(prompt_tokens=10)),
    "booleans": ({"prompt_tokens": True}, Usage()),
    "null": (None, Usage()),
    "a list": ([], Usage()),
}


@pytest.mark.parametrize(("usage", "expected"), _USAGES.values(), ids=list(_USAGES))
def test_unknown_token_counts_are_not_zero(usage: object, expected: Usage) -> None:
    assert usage_of({"usage": usage}) == expected


@pytest.mark.parametrize("choices", [None, [], ["x"], [{}], [{"message": None}]], ids=str)
def test_an_answer_without_a_message(choices: object) -> None:
    with pytest.raises(ProtocolViolated, match="has no choices") as caught:
        response_of({"id": "a", "choices": choices}, _PLAIN)
    assert '"id":"a"' in caught.value.sample


@given(_JSON, _JSON)
def test_odd_answers_are_understood_or_refused(message: object, usage: object) -> None:
    body = {"choices": [{"message": message, "finish_reason": message}], "usage": usage}
    try:
        found = response_of(body, _PLAIN)
    except MloError:
        return
    assert isinstance(found.text, str)


@given(st.lists(_JSON, max_size=3))
def test_odd_chunks_are_understood(deltas: list[object]) -> None:
    reader = ChunkReader(_PLAIN)
    for delta in deltas:
        reader.events({"choices": [{"delta": delta, "finish_reason": delta}], "usage": delta})
    assert isinstance(reader.finished().reason, FinishReason)


def floats(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def test_embeddings_come_in_the_order_of_the_texts() -> None:
    data = [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [1.5, 0]}]
    found = embeddings_of([{"data": data, "model": "e", "usage": {"prompt_tokens": 3, "total_tokens": 3}}], 2, "r")
    assert found.vectors == ((1.5, 0.0), (0.0, 2.0))
    assert (found.model, found.request_id, found.usage) == ("e", "r", Usage(prompt_tokens=3, total_tokens=3))


def test_embeddings_of_several_answers_add_up() -> None:
    answers = [{"data": [{"embedding": floats(0.5)}], "usage": {"prompt_tokens": n}} for n in (1, 2)]
    found = embeddings_of(answers, 2)
    assert (found.vectors, found.usage.prompt_tokens) == (((0.5,), (0.5,)), 3)


def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    answers = [{"data": [{"embedding": [1]}], "usage": usage} for usage in ({"prompt_tokens": 1}, None)]
    assert embeddings_of(answers, 2).usage.prompt_tokens is None


_BAD_EMBEDDINGS: dict[str, object] = {
    "too few": [{"embedding": [1]}],
    "different lengths": [{"embedding": [1]}, {"embedding": [1, 2]}],
    "empty": [{"embedding": []}, {"embedding": []}],
    "not numbers": [{"embedding": ["x"]}, {"embedding": [None]}],
    "not base64": [{"embedding": "!"}, {"embedding": "!"}],
    "nothing": [{"embedding": None}, {}],
    "no data": None,
}


@pytest.mark.parametrize("data", _BAD_EMBEDDINGS.values(), ids=list(_BAD_EMBEDDINGS))
def test_embeddings_that_are_none(data: object) -> None:
    with pytest.raises(ProtocolViolated):
        embeddings_of([{"data": data}], 2)


def test_models() -> None:
    data = [
        {"id": "a", "owned_by": "vllm", "max_model_len": 4096},
        {"id": "b", "context_length": 8192},
        {"name": "no id"},
        "odd",
    ]
    found = models_of({"data": data}, "mine")
    assert [(model.id, model.provider, model.owned_by, model.context_tokens) for model in found] == [
        ("a", "mine", "vllm", 4096),
        ("b", "mine", None, 8192),
    ]
