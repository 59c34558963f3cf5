"""The parser of responses, beside h11, which nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo_sdk.direct.http1 import ResponseReader, request_bytes

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
CUTS = st.lists(st.integers(min_value=0), max_size=8)
EXTENSIONS = st.sampled_from([b"", b";a=b", b';name="v"'])
TRAILERS = st.sampled_from([b"", b"X-Trailer: 1\r\n", b"A: 1\r\nB: 2\r\n"])


def split(data: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        if start < end:
            yield data[start:end]


def read(chunks: Iterator[bytes], reader: ResponseReader | None = None) -> tuple[ResponseReader, bytes]:
    reader = reader or ResponseReader()
    return reader, b"".join([reader.feed(chunk) for chunk in chunks])


def by_h11(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, headers, body = 0, [], b""
    while not isinstance(event := connection.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
        if isinstance(event, h11.Response):
            status, headers = event.status_code, [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    return status, headers, body


def chunked(pieces: Sequence[bytes], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Y:  z \r\n\r\n"
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces)
    return head + body + b"0" + extension + b"\r\n" + trailers + b"\r\n"


def counted(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@given(PIECES, EXTENSIONS, TRAILERS, CUTS)
def test_chunks_however_they_arrive(pieces: list[bytes], extension: bytes, trailers: bytes, cuts: list[int]) -> None:
    data = chunked(pieces, extension, trailers)
    reader, body = read(split(data, cuts))
    assert body == b"".join(pieces) == by_h11(data)[2]
    assert reader.complete
    assert reader.reusable


@given(st.binary(max_size=200), CUTS)
def test_a_counted_body_however_it_arrives(content: bytes, cuts: list[int]) -> None:
    data = counted(content)
    reader, body = read(split(data, cuts))
    assert reader.head is not None
    assert (reader.head.status, body) == (200, content)
    assert body == by_h11(data)[2]
    assert reader.complete
    assert reader.reusable


@given(PIECES, CUTS, st.integers(min_value=0))
def test_a_cut_body_is_a_prefix_and_an_error(pieces: list[bytes], cuts: list[int], cut: int) -> None:
    data = chunked(pieces)
    kept = data[: cut % len(data)]
    reader, body = read(split(kept, cuts))
    assert b"".join(pieces).startswith(body)
    with pytest.raises(httpx.RemoteProtocolError, match="closed the connection"):
        reader.end()


@given(st.lists(st.tuples(st.sampled_from([b"A", b"b-C", b"X_1"]), st.sampled_from([b"", b"v", b"a: b"])), max_size=5))
def test_headers_are_those_of_h11(headers: list[tuple[bytes, bytes]]) -> None:
    lines = b"".join(b"%s:%s\r\n" % header for header in headers)
    data = b"HTTP/1.1 204 \r\n" + lines + b"\r\n"
    reader, _ = read(iter([data]))
    assert reader.head is not None
    assert [(name.lower(), value) for name, value in reader.head.headers] == by_h11(data)[1]


@given(st.binary(max_size=300), CUTS)
def test_nonsense_never_crashes(data: bytes, cuts: list[int]) -> None:
    reader = ResponseReader()
    try:
        for chunk in split(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data, cuts):
            reader.feed(chunk)
    except httpx.RemoteProtocolError:
        return
    assert reader.head is not None


def test_without_a_length_the_body_ends_with_the_connection() -> None:
    reader, body = read(iter([b"HTTP/1.1 200 OK\r\n\r\nab", b"cd"]))
    assert (body, reader.complete) == (b"abcd", False)
    reader.end()
    assert reader.complete
    assert not reader.reusable


def test_interim_answers_are_passed_over() -> None:
    reader, body = read(iter([b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", counted(b"ok")]))
    assert body == b"ok"
    assert reader.head is not None
    assert reader.head.status == 200


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)], ids=["head", "no-content", "not-modified"]
)
def test_some_answers_have_no_body(method: str, status: int) -> None:
    data = b"HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\n" % status
    reader, body = read(iter([data]), ResponseReader(method))
    assert (body, reader.complete, reader.reusable) == (b"", True, True)


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close", False),
        (b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive", True),
        (b"HTTP/1.0 200 OK", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive", True),
    ],
    ids=["close", "keep", "old", "old-keep"],
)
def test_who_wants_to_keep_the_connection(head: bytes, *, reusable: bool) -> None:
    reader, _ = read(iter([head + b"\r\nContent-Length: 0\r\n\r\n"]))
    assert reader.complete
    assert reader.reusable is reusable


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 3", b"HTTP/1.0 200 OK\r\nConnection: keep-alive"], ids=["both", "old"]
)
def test_chunks_beside_a_length_or_before_their_time_cost_the_connection(head: bytes) -> None:
    data = head + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    reader, body = read(iter([data]))
    assert (body, reader.complete, reader.reusable) == (b"ok", True, False)


def test_blanks_inside_a_header_are_its_value() -> None:
    value = b"a" + b" " * 60_000 + b"b"
    reader, _ = read(iter([b"HTTP/1.1 200 OK\r\nX: \t" + value + b" \r\nContent-Length: 0\r\n\r\n"]))
    assert reader.head is not None
    assert reader.head.headers[0] == (b"X", value)


def test_a_head_may_come_byte_by_byte() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(3000)) + b"Content-Length: 0\r\n\r\n"
    reader, _ = read(head[at : at + 1] for at in range(len(head)))
    assert reader.complete


def test_whether_anything_was_said() -> None:
    reader = ResponseReader()
    assert not reader.begun
    reader.feed(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert reader.begun


def test_bytes_after_the_answer_spoil_the_connection() -> None:
    assert not read(iter([counted(b"ab") + b"HTTP"]))[0].reusable
    assert not read(iter([chunked([b"ab"]) + b"x"]))[0].reusable
    reader, _ = read(iter([counted(b"")]))
    reader.feed(b"x")
    assert not reader.reusable


def test_bare_line_feeds_are_understood_in_heads() -> None:
    assert read(iter([b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"]))[1] == b"ok"


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad name: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,
        b"HTTP/1.1 200 OK\r\nX: a\rContent-Length: 9\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: x\r\n" * 20_000,
    ],
    ids=[
        "ssh",
        "http2",
        "colon",
        "folded",
        "name",
        "lengths",
        "negative",
        "switching",
        "sign",
        "prefix",
        "longer",
        "endless-size",
        "endless-head",
        "carriage-return",
        "zero-byte",
        "unknown-coding",
        "two-codings",
        "coded-twice",
        "coding-and-length",
        "endless-interim",
        "endless-trailers",
    ],
)
def test_what_is_not_http_is_refused(data: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        read(iter([data]))


def test_no_answer_at_all() -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without an answer"):
        ResponseReader().end()


def test_a_request_is_one_piece() -> None:
    request = httpx.Request("POST", "http://a.example/v1/ü?x=1", headers={"host": "a.example", "x": "y"}, content=b"{}")
    head, _, body = request_bytes(request, b"{}").partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /v1/%C3%BC?x=1 HTTP/1.1"
    assert b"x: y" in head.split(b"\r\n")
    assert body == b"{}"


@pytest.mark.parametrize("header", [{"x": "a\r\nb: c"}, {"x": "a\x00"}, {"bad name": "x"}], ids=["crlf", "nul", "name"])
def test_headers_cannot_smuggle(header: dict[str, str]) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        request_bytes(httpx.Request("GET", "http://a.example", headers=header), b"")
