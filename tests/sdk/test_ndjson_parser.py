from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import ProtocolViolated, TransportFailed
from mlo_sdk import NdjsonParser

_OBJECTS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=12) | st.integers(), max_size=3), max_size=6)


def documents(*chunks: bytes, limit: int = 2**24) -> list[dict[str, Any]]:
    parser = NdjsonParser(max_line_bytes=limit)
    found = [document for chunk in chunks for document in parser.feed(chunk)]
    return found + parser.close()


@given(_OBJECTS, st.integers(1, 9), st.booleans(), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_documents_do_not_depend_on_how_the_bytes_are_split(
    objects: list[dict[str, Any]], size: int, ended: bool, end: str
) -> None:
    wire = end.join(json.dumps(item, ensure_ascii=False) for item in objects).encode("utf-8", "surrogatepass")
    wire += end.encode() * ended
    assert documents(*(wire[at : at + size] for at in range(0, len(wire), size))) == objects


@given(_OBJECTS.filter(bool), st.data())
def test_a_stream_cut_anywhere_is_an_error_or_ends_between_documents(
    objects: list[dict[str, Any]], draw: st.DataObject
) -> None:
    wire = "".join(json.dumps(item) + "\n" for item in objects).encode()
    cut = draw.draw(st.integers(0, len(wire)))
    try:
        found = documents(wire[:cut])
    except TransportFailed:
        return
    assert found == objects[: len(found)]


def test_line_separators_of_unicode_stay_inside_a_document() -> None:
    text = "x\u2028y\u2029z\u0085w"
    assert documents(json.dumps({"a": text}, ensure_ascii=False).encode() + b"\n") == [{"a": text}]


def test_text_that_is_not_json_is_shown() -> None:
    with pytest.raises(ProtocolViolated) as caught:
        documents(b"<html>\n")
    assert caught.value.sample == "<html>"


def test_broken_utf8_is_no_json() -> None:
    with pytest.raises(ProtocolViolated):
        documents(b'{"a":"\xff"}\n')


@pytest.mark.parametrize("line", [b"[1]\n", b"7", b'"x"\n'], ids=["list", "number at the end", "string"])
def test_json_that_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolViolated, match="not a JSON object"):
        documents(line)


def test_a_line_that_never_ends_is_refused() -> None:
    with pytest.raises(ProtocolViolated, match="longer than 64 bytes"):
        documents(*[b"x" * 30] * 5, limit=64)


def test_long_lines_come_through_in_small_pieces() -> None:
    wire = json.dumps({"a": "x" * 2**20}).encode() + b"\n"
    (found,) = documents(*(wire[at : at + 700] for at in range(0, len(wire), 700)))
    assert len(found["a"]) == 2**20
