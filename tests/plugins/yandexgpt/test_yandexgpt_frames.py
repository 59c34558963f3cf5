"""Streams as bytes: wherever they are split or cut, exact text or a typed error comes, never text twice."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ProtocolViolated, ProviderError, TransportFailed
from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, UsageReported, fold
from mlo.models import Price
from mlo.responses import FinishReason
from mlo_sdk.ndjson import NdjsonParser
from mlo_yandexgpt.answers import FrameReader, chat_response
from mlo_yandexgpt.wire import read_usage

from .cloud import URI

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


def frame(text: str | None, status: str = "PARTIAL", **more: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"} | ({} if text is None else {"text": text})
    usage = {"inputTextTokens": "5", "completionTokens": str(len(text or "")), "totalTokens": str(5 + len(text or ""))}
    alternative = {"message": message | more, "status": f"ALTERNATIVE_STATUS_{status}"}
    return {"result": {"alternatives": [alternative], "usage": usage, "modelVersion": "1"}}


def frames_of(text: str, cuts: list[int]) -> list[dict[str, Any]]:
    ends = sorted({cut % (len(text) + 1) for cut in cuts})
    return [*(frame(text[:end]) for end in ends), frame(text, "FINAL")]


def wire(frames: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in frames)


def read(body: bytes, splits: list[int], **options: Any) -> list[Event]:
    parser, reader, events = NdjsonParser(), FrameReader(model=URI, **options), []
    places = [0, *sorted({split % (len(body) + 1) for split in splits}), len(body)]
    for start, end in itertools.pairwise(places):
        for document in parser.feed(body[start:end]):
            events += reader.feed(document)
    for document in parser.close():
        events += reader.feed(document)
    return [*events, reader.close()]


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@given(TEXT, CUTS, CUTS)
def test_any_split_gives_the_exact_text(text: str, cuts: list[int], splits: list[int]) -> None:
    events = read(wire(frames_of(text, cuts)), splits)
    assert fold(events).text == text
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert all(event.text for event in events if isinstance(event, TextDelta))


@given(TEXT, CUTS, CUTS, st.integers(0, 10_000))
def test_any_cut_is_an_error_or_the_whole_text(text: str, cuts: list[int], splits: list[int], at: int) -> None:
    body = wire(frames_of(text, cuts))
    cut = at % len(body)
    try:
        events = read(body[:cut], splits)
    except TransportFailed:
        return
    assert fold(events).text == text
    assert cut >= len(body) - 1  # only the line end may be missing


@given(TEXT, TEXT, CUTS)
def test_rewritten_text_is_never_passed_on(first: str, second: str, splits: list[int]) -> None:
    body = wire([frame(first), frame(second, "FINAL")])
    try:
        text = fold(read(body, splits)).text
    except ProtocolViolated:
        assert not second.startswith(first)
    else:
        assert text == second


@given(st.lists(TEXT, min_size=1, max_size=6), CUTS)
def test_buffered_text_is_the_final_one(texts: list[str], splits: list[int]) -> None:
    frames = [*(frame(text) for text in texts[:-1]), frame(texts[-1], "FINAL")]
    events = read(wire(frames), splits, buffer=True)
    assert [event.text for event in events if isinstance(event, TextDelta)] == [texts[-1]]


@given(TEXT, CUTS, st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=3))
def test_stop_sequences_do_not_depend_on_the_split(text: str, cuts: list[int], stops: list[str]) -> None:
    frames = frames_of(text, cuts)
    streamed, reader = "", FrameReader(model=URI, stops=stops)
    for each in frames:
        streamed += "".join(event.text for event in reader.feed(each) if isinstance(event, TextDelta))
        if reader.finished:
            break
    assert streamed == chat_response(frames[-1], model=URI, stops=stops).text
    assert not any(stop in streamed for stop in stops)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "result",
                        "alternatives",
                        "message",
                        "text",
                        "status",
                        "usage",
                        "toolCallList",
                        "toolCalls",
                        "functionCall",
                        "inputTextTokens",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_nonsense_is_a_typed_error(found: Any) -> None:
    document = found if isinstance(found, dict) else {"result": found}
    reader = FrameReader(model=URI)
    try:
        reader.feed(document)
        reader.close()
    except ProviderError as error:
        assert str(error)
    else:
        assert reader.finished is not None


@pytest.mark.parametrize("count", [1e999, 1.5, "many", []])
def test_a_count_that_is_none_is_a_typed_error(count: Any) -> None:
    with pytest.raises(ProtocolViolated, match="count"):
        read_usage({"inputTextTokens": count})


def test_rewriting_tells_where_and_what_to_do() -> None:
    reader = FrameReader(model=URI)
    reader.feed(frame("Ответ: да"))
    with pytest.raises(ProtocolViolated, match=r"from character 7 on: 'да' became 'нет'.*on_rewrite"):
        reader.feed(frame("Ответ: нет", "FINAL"))


def test_text_that_shrinks_is_rewritten_too() -> None:
    reader = FrameReader(model=URI)
    reader.feed(frame("Ответ"))
    with pytest.raises(ProtocolViolated):
        reader.feed(frame("Отв", "FINAL"))


def test_a_filter_in_the_middle_replaces_nothing() -> None:
    reader = FrameReader(model=URI)
    events = reader.feed(frame("Вот как")) + reader.feed(frame("Я не могу обсуждать эту тему.", "CONTENT_FILTER"))
    response = fold([*events, reader.close()])
    assert (response.text, response.finish_reason) == ("Вот как", FinishReason.CONTENT_FILTER)


def test_a_tool_call_comes_in_one_frame() -> None:
    reader = FrameReader(model=URI)
    calls = {"toolCalls": [{"functionCall": {"name": "sum", "arguments": {"a": 5.0, "b": [1.5, 2.0]}}}]}
    events = reader.feed(frame(None, "TOOL_CALLS", toolCallList=calls))
    [call] = fold([*events, reader.close()]).tool_calls
    assert (call.name, call.arguments) == ("sum", '{"a": 5, "b": [1.5, 2]}')


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("FINAL", FinishReason.STOP),
        ("TRUNCATED_FINAL", FinishReason.LENGTH),
        ("CONTENT_FILTER", FinishReason.CONTENT_FILTER),
        ("TOOL_CALLS", FinishReason.TOOL_CALLS),
        ("RECITATION", FinishReason.OTHER),
    ],
)
def test_status_becomes_the_reason(status: str, reason: FinishReason) -> None:
    reader = FrameReader(model=URI)
    reader.feed(frame("да", status))
    assert reader.close().reason is reason
    assert chat_response(frame("да", status), model=URI).finish_reason is reason


@pytest.mark.parametrize("status", ["PARTIAL", "UNSPECIFIED"])
def test_no_final_status_is_no_answer(status: str) -> None:
    reader = FrameReader(model=URI)
    reader.feed(frame("да", status))
    with pytest.raises(TransportFailed, match="final status"):
        reader.close()
    with pytest.raises(ProtocolViolated, match="not final"):
        chat_response(frame("да", status), model=URI)


def test_usage_that_is_absent_is_unknown() -> None:
    document = frame("да", "FINAL")
    document["result"]["usage"] = {"inputTextTokens": "5", "completionTokensDetails": None}
    usage = chat_response(document, model=URI, price=Price(prompt=1, completion=1)).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens, usage.cost) == (5, None, None, None)


def test_usage_may_be_numbers_too() -> None:
    document = frame("да", "FINAL")
    document["result"]["usage"] = {"inputTextTokens": 5, "completionTokens": 7, "totalTokens": 12}
    assert chat_response(document, model=URI).usage.total_tokens == 12


def test_an_answer_without_the_wrapping_is_read() -> None:
    assert chat_response(frame("да", "FINAL")["result"], model=URI).text == "да"


def test_no_reasoning_is_ever_made_up() -> None:
    events = read(wire([frame("да", "FINAL")]), [])
    assert not [event for event in events if isinstance(event, ReasoningDelta)]
    assert [event for event in events if isinstance(event, UsageReported)]
