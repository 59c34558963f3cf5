from __future__ import annotations

from typing import Any

import pytest

from mlo.events import (
    Event,
    Finished,
    ReasoningDelta,
    Started,
    TextDelta,
    UsageReported,
    fold,
)
from mlo.messages import ToolCall
from mlo.responses import FinishReason, Usage
from mlo_sdk.openai_compat import ChunkReader, Dialect

_STOP: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def delta(**fields: Any) -> dict[str, Any]:
    return {"id": "a-1", "model": "m-1", "choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def read(*chunks: dict[str, Any], dialect: Dialect | None = None) -> list[Event]:
    reader = ChunkReader(dialect or Dialect(), "r-1")
    events = [event for chunk in chunks for event in reader.events(chunk)]
    assert reader.complete
    return [*events, reader.finished()]


def calls(*pieces: dict[str, Any] | list[dict[str, Any]], unique: bool = False) -> tuple[ToolCall, ...]:
    chunks = [delta(tool_calls=piece if isinstance(piece, list) else [piece]) for piece in pieces]
    return fold(read(*chunks, _STOP, dialect=Dialect(unique_call_ids=unique))).tool_calls


def test_text_in_pieces() -> None:
    assert read(delta(role="assistant", content=""), delta(content="При"), delta(content="вет"), _STOP) == [
        Started(model="m-1", response_id="a-1", request_id="r-1"),
        TextDelta("При"),
        TextDelta("вет"),
        Finished(FinishReason.STOP, {"finish_reason": "stop"}),
    ]


def test_thinking_before_text() -> None:
    events = read(delta(reasoning_content="2", content=None), delta(reasoning="+2"), delta(content="4"), _STOP)
    assert events[1:-1] == [ReasoningDelta("2"), ReasoningDelta("+2"), TextDelta("4")]


def test_token_counts_may_come_after_the_finish_reason() -> None:
    events = read(delta(content="a"), _STOP, {"choices": [], "usage": {"prompt_tokens": 3}})
    assert events[-2:] == [
        UsageReported(Usage(prompt_tokens=3)),
        Finished(FinishReason.STOP, {"finish_reason": "stop"}),
    ]


def test_chunks_without_choices_say_nothing() -> None:
    assert read({"choices": [], "prompt_filter_results": []}, {"usage": None}, _STOP)[1:-1] == []


def test_other_choices_are_not_mixed_in() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "other"}, "finish_reason": "length"}]}
    assert fold(read(other, delta(content="mine"), _STOP)).text == "mine"


def test_a_refusal_is_no_answer() -> None:
    response = fold(read(delta(refusal="I "), delta(refusal="can't"), _STOP))
    assert (response.text, response.finish_reason) == ("I can't", FinishReason.CONTENT_FILTER)


def test_content_in_parts() -> None:
    assert fold(read(delta(content=[{"type": "text", "text": "a"}]), _STOP)).text == "a"


def test_what_the_server_says_beyond_is_kept() -> None:
    finished = read(delta(content="a"), {**_STOP, "system_fingerprint": "fp"})[-1]
    assert finished == Finished(FinishReason.STOP, {"finish_reason": "stop", "system_fingerprint": "fp"})


def test_a_call_in_pieces() -> None:
    assert calls(
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "add", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "id": "", "type": "", "function": {"name": "", "arguments": ":1}"}},
    ) == (ToolCall(id="c1", name="add", arguments='{"a":1}'),)


def test_two_calls_side_by_side() -> None:
    assert calls(
        [
            {"index": 0, "id": "c1", "function": {"name": "add", "arguments": "{"}},
            {"index": 1, "id": "c2", "function": {"name": "sub", "arguments": "{"}},
        ],
        [{"index": 1, "function": {"arguments": '"b":2}'}}, {"index": 0, "function": {"arguments": '"a":1}'}}],
    ) == (
        ToolCall(id="c1", name="add", arguments='{"a":1}'),
        ToolCall(id="c2", name="sub", arguments='{"b":2}'),
    )


def test_calls_without_an_index() -> None:
    assert calls(
        {"id": "c1", "function": {"name": "add", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "c2", "function": {"name": "add", "arguments": {"a": 1}}},
    ) == (ToolCall(id="c1", name="add", arguments="{}"), ToolCall(id="c2", name="add", arguments='{"a":1}'))


def test_calls_that_all_have_index_zero() -> None:
    assert calls(
        {"index": 0, "id": "c1", "function": {"name": "add", "arguments": "{}"}},
        {"index": 0, "id": "c2", "function": {"name": "sub", "arguments": "{}"}},
    ) == (ToolCall(id="c1", name="add"), ToolCall(id="c2", name="sub"))


def test_a_new_id_in_each_piece_does_not_make_new_calls() -> None:
    assert calls(
        {"index": 0, "id": "c1", "function": {"name": "add", "arguments": "{"}},
        {"index": 0, "id": "c9", "function": {"arguments": "}"}},
    ) == (ToolCall(id="c1", name="add", arguments="{}"),)


def test_calls_without_ids_get_one() -> None:
    pieces = {"index": 0, "function": {"name": "add"}}, {"index": 0, "function": {"arguments": "{}"}}
    (call,) = calls(*pieces)
    assert (call.name, call.id.startswith("call_"), len(call.id) > 20) == ("add", True, True)


def test_ids_that_the_server_does_not_keep_apart_are_replaced() -> None:
    found = calls(
        [{"index": index, "id": "add", "function": {"name": "add", "arguments": "{}"}} for index in (0, 1)],
        unique=True,
    )
    assert len({call.id for call in found} - {"add"}) == 2


def test_calls_are_why_it_stopped_even_if_the_server_says_stop() -> None:
    chunk = delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "add", "arguments": "{}"}}])
    assert fold(read(chunk, _STOP)).finish_reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize("index", [0, None], ids=["zero", "null"])
def test_a_choice_needs_no_index(index: int | None) -> None:
    chunk = {"choices": [{"index": index, "delta": {"content": "a"}, "finish_reason": "length"}]}
    assert fold(read(chunk)).finish_reason is FinishReason.LENGTH
