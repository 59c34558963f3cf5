"""What is read from bytes that go through agrees with what a parser of all of it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.events import fold
from mlo.responses import Usage
from mlo_sdk.openai_compat import ChunkReader, Dialect, response_of
from mlo_sdk.openai_compat.tail import StreamTail, frames_of, is_odd, summary_of, whole_frames

TEXTS = st.sampled_from(
    [
        "",
        "Привет",
        'he said "usage": {"a": 1}',
        '"finish_reason": "stop"',
        "\\",
        "\\u0041",
        "a\nb",
        "😀",
        '"choices": []',
    ]
)
COUNTS = st.fixed_dictionaries(
    {"prompt_tokens": st.integers(0, 9), "completion_tokens": st.integers(0, 9)},
    optional={
        "total_tokens": st.integers(0, 20),
        "prompt_tokens_details": st.fixed_dictionaries({"cached_tokens": st.integers(0, 5)}),
        "completion_tokens_details": st.fixed_dictionaries({"reasoning_tokens": st.integers(0, 5)}),
    },
)
REASONS = st.sampled_from(["stop", "length", "content_filter", "tool_calls"])


def encoded(data: object, *, ascii_only: bool, spaced: bool) -> str:
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(data, ensure_ascii=ascii_only, separators=separators)


@given(text=TEXTS, reason=REASONS, counts=st.none() | COUNTS, ascii_only=st.booleans(), spaced=st.booleans())
def test_a_whole_answer(text: str, reason: str, counts: dict[str, Any] | None, ascii_only: bool, spaced: bool) -> None:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}
    answer: dict[str, Any] = {"id": "a", "model": "m/1", "choices": [choice], "extra": {"usage": 5}}
    if counts is not None:
        answer["usage"] = counts
    body = encoded(answer, ascii_only=ascii_only, spaced=spaced).encode()
    expected = response_of(answer, Dialect())
    found = summary_of(body, "r")
    assert (found.usage, found.finish_reason, found.model) == (expected.usage, expected.finish_reason, "m/1")
    assert found.request_id == "r"
    assert not is_odd(body)


def test_a_stop_after_tool_calls_means_these() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": None, "tool_calls": [call]}}
    body = json.dumps({"choices": [choice]}).encode()
    assert summary_of(body).finish_reason is response_of(json.loads(body), Dialect()).finish_reason


@given(
    texts=st.lists(TEXTS, max_size=6),
    reason=REASONS,
    counts=st.none() | COUNTS,
    beside=st.booleans(),
    withhold=st.booleans(),
    size=st.integers(1, 60),
    ascii_only=st.booleans(),
    crlf=st.booleans(),
)
def test_a_stream_however_it_is_cut(
    texts: list[str],
    reason: str,
    counts: dict[str, Any] | None,
    beside: bool,
    withhold: bool,
    size: int,
    ascii_only: bool,
    crlf: bool,
) -> None:
    end = "\r\n\r\n" if crlf else "\n\n"
    chunks: list[dict[str, Any]] = [
        {"model": "m", "usage": None, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
        for text in texts
    ]
    chunks.append({"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if counts is not None:
        chunks += [{"choices": chunks.pop()["choices"] if beside else [], "model": "m", "usage": counts}]
    frames = [f"data: {encoded(chunk, ascii_only=ascii_only, spaced=True)}{end}".encode() for chunk in chunks]
    sent = b"".join(frames) + f"data: [DONE]{end}".encode()

    tail, rest, passed = StreamTail(withhold=withhold), b"", b""
    for start in range(0, len(sent), size):
        data = rest + sent[start : start + size]
        whole = whole_frames(data)
        rest = data[whole:]
        if whole:
            passed += tail.pass_through(data[:whole])
    assert rest == b""
    reader = ChunkReader(Dialect())
    events = [event for chunk in chunks for event in reader.events(chunk)]
    expected = fold([*events, reader.finished()])
    found = tail.summary("r")
    assert tail.has_reason()
    assert (found.usage, found.finish_reason, found.model) == (expected.usage, expected.finish_reason, "m")
    assert found.characters == len(expected.text)
    hidden = withhold and counts is not None and not beside
    assert passed == (sent.replace(frames[-1], b"") if hidden else sent)


def test_counts_of_a_stream_that_goes_on_are_those_so_far() -> None:
    tail = StreamTail(withhold=True)
    for number in (1, 2):
        frame = json.dumps(
            {"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 1, "completion_tokens": number}}
        )
        tail.pass_through(f"data: {frame}\n\n".encode())
    assert tail.summary().usage == Usage(prompt_tokens=1, completion_tokens=2)


def test_long_streams_are_counted_as_they_go() -> None:
    tail = StreamTail(withhold=False)
    frame = b'data: {"choices":[{"delta":{"content":"\xd0\xb0\xd0\xb1","reasoning":"x"}}]}\n\n'
    for _ in range(3000):
        tail.pass_through(frame)
    assert sum(map(len, tail._uncounted)) < 70_000
    assert tail.summary().characters == 9000


@pytest.mark.parametrize(
    "data", [b'"usage": {', b'"usage": {"prompt_tokens"', b'"usage"', b'"usage": 5', b'"usage": {"prompt_tokens": "x"}']
)
def test_damaged_counts_are_unknown(data: bytes) -> None:
    assert summary_of(data).usage == Usage()


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"a\n\n", 3),
        (b"a\n\nb", 3),
        (b"a\r\n\r\nb\n", 5),
        (b"a\n", 0),
        (b"", 0),
        (b"a\n\nb\r\n\r\nc", 8),
        (b"a\r\n\n", 4),
    ],
)
def test_whole_frames(data: bytes, whole: int) -> None:
    assert whole_frames(data) == whole
    assert b"".join(frames_of(data[:whole])) == data[:whole]
