from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ProtocolViolated
from mlo_sdk import SseEvent, SseParser

_TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
_EVENTS = st.lists(st.lists(_TEXT, min_size=1, max_size=3), max_size=8)


def parsed(*chunks: bytes, limit: int = 2**24) -> list[SseEvent]:
    parser = SseParser(max_event_bytes=limit)
    return [event for chunk in chunks for event in parser.feed(chunk)]


def data(*chunks: bytes) -> list[str]:
    return [event.data for event in parsed(*chunks)]


@given(_EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_events_do_not_depend_on_how_the_bytes_are_split(
    events: list[list[str]], end: str, sizes: list[int], bom: bool
) -> None:
    wire = "".join("".join(f"data: {line}{end}" for line in lines) + end for lines in events).encode()
    wire = b"\xef\xbb\xbf" * bom + wire
    chunks: list[bytes] = []
    at = 0
    while at < len(wire):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(wire[at : at + size])
        at += size
    assert data(*chunks) == ["\n".join(lines) for lines in events]


@given(_EVENTS, st.data())
def test_a_stream_cut_anywhere_gives_the_first_events_and_no_other(
    events: list[list[str]], draw: st.DataObject
) -> None:
    wire = "".join("".join(f"data: {line}\n" for line in lines) + "\n" for lines in events).encode()
    cut = draw.draw(st.integers(0, len(wire)))
    found = data(wire[:cut])
    assert found == ["\n".join(lines) for lines in events][: len(found)]


@given(st.binary(max_size=200))
def test_no_bytes_break_it(noise: bytes) -> None:
    parser = SseParser()
    assert all(isinstance(event, SseEvent) for event in parser.feed(noise))


def test_line_separators_of_unicode_stay_inside_the_data() -> None:
    text = json.dumps({"a": "x\u2028y\u2029z\u0085w\x0b\x0c\x1c"}, ensure_ascii=False)
    assert data(f"data: {text}\n\n".encode()) == [text]


def test_fields_event_and_id_are_kept() -> None:
    events = parsed(b"event: delta\nid: 7\ndata: a\n\ndata: b\n\n")
    assert events == [SseEvent("a", "delta", "7"), SseEvent("b", "message", "7")]


def test_an_event_without_data_is_none_and_loses_its_name() -> None:
    assert parsed(b"event: ping\n\ndata: a\n\n") == [SseEvent("a")]


def test_comments_and_unknown_fields_are_ignored() -> None:
    assert data(b": keep-alive\n\nretry: 5\nweird\ndata: a\n\n") == ["a"]


def test_an_id_with_a_zero_byte_is_ignored() -> None:
    assert parsed(b"id: a\0b\ndata: x\n\n") == [SseEvent("x")]


@pytest.mark.parametrize("line", [b"data:a", b"data: a"], ids=["without space", "with space"])
def test_one_space_after_the_colon_belongs_to_the_syntax(line: bytes) -> None:
    assert data(line + b"\n\n") == ["a"]


def test_a_field_without_a_colon_is_empty_data() -> None:
    assert data(b"data\n\n") == [""]


def test_a_line_end_may_be_split_between_cr_and_lf() -> None:
    assert data(b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n") == ["a", "b"]


def test_broken_utf8_becomes_replacement_characters() -> None:
    assert data(b"data: \xff\n\n") == ["\ufffd"]


def test_close_tells_whether_something_was_cut() -> None:
    parser = SseParser()
    parser.feed(b"data: a\n\n")
    assert parser.close() is False
    parser.feed(b"data: b\n")
    assert parser.close() is True
    assert parser.feed(b"\n") == []


def test_an_event_that_never_ends_is_refused() -> None:
    with pytest.raises(ProtocolViolated, match="larger than 64 bytes") as caught:
        parsed(*[b"data: " + b"x" * 30 + b"\n"] * 5, limit=64)
    assert "xxx" in caught.value.sample


def test_a_line_that_never_ends_is_refused() -> None:
    with pytest.raises(ProtocolViolated, match="larger than 64 bytes"):
        parsed(*[b"x" * 30] * 5, limit=64)


def test_many_small_events_are_not_one_large_one() -> None:
    assert len(parsed(*[b"data: " + b"x" * 30 + b"\n\n: c\n"] * 50, limit=64)) == 50


def test_a_megabyte_comes_through_in_small_pieces() -> None:
    wire = b"data: " + b"x" * 2**20 + b"\n\n"
    found = data(*(wire[at : at + 700] for at in range(0, len(wire), 700)))
    assert [len(text) for text in found] == [2**20]
