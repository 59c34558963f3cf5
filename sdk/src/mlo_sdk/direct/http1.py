"""HTTP/1.1 messages: requests to bytes, bytes to responses. Sans-IO.

A response's body ends with its last chunk, after ``Content-Length`` bytes, or with the connection, in this order of
precedence (RFC 9112, section 6.3). Everything that a response may not be is ``httpx.RemoteProtocolError``. A
connection whose framing could be read in two ways is not used again.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import httpx
from attrs import frozen

__all__ = ["Head", "ResponseReader", "request_bytes"]

_MOST_HEAD_BYTES: Final = 65_536
_MOST_LINE_BYTES: Final = 4_096
_MOST_LENGTH_DIGITS: Final = 18
_FRAMING_HEADERS: Final = (b"connection", b"content-length", b"transfer-encoding")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):(.*)")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_BAD_VALUE = re.compile(rb"[\x00\r\n]")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@frozen(kw_only=True)
class Head:
    """The head of a final response; ``headers`` in the order in which they came."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    old: bool = False


def request_bytes(request: httpx.Request, body: bytes) -> bytes:
    """The whole request.

    Raises:
        httpx.LocalProtocolError: for a header that would break the request's form.
    """
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    for name, value in request.headers.raw:
        if _TOKEN.fullmatch(name) is None or _BAD_VALUE.search(value) is not None:
            raise httpx.LocalProtocolError("illegal header", request=request)
        lines.append(b"%s: %s" % (name, value))
    return b"\r\n".join((*lines, b"", body))


class _Framing(Enum):
    CHUNKED = 1
    LENGTH = 2
    CLOSE = 3


class ResponseReader:
    """Reads the response to one request. What it keeps is bounded, and no byte of a body is looked at twice."""

    __slots__ = (
        "_after_data",
        "_framing",
        "_left",
        "_method",
        "_rest",
        "_spare",
        "_trailers",
        "complete",
        "head",
        "reusable",
    )

    def __init__(self, method: str = "GET") -> None:
        self.head: Head | None = None
        self.complete = False
        self.reusable = True
        self._method = method
        self._framing = _Framing.CLOSE
        self._left = 0
        self._rest = b""
        self._spare = _MOST_HEAD_BYTES  # left for heads and trailers
        self._after_data = False
        self._trailers = False

    @property
    def begun(self) -> bool:
        """Whether the server has said anything."""
        return bool(self._rest) or self._spare < _MOST_HEAD_BYTES

    def feed(self, data: bytes) -> bytes:
        """The body bytes that ``data`` brings; sets ``head`` once it is there, and ``complete`` at the end.

        Raises:
            httpx.RemoteProtocolError: when this is not HTTP/1.1.
        """
        if self.head is None:
            found = self._read_head(data)
            if found is None:
                return b""
            data = found
        if self.complete:
            self.reusable = self.reusable and not data
            return b""
        if self._framing is _Framing.CHUNKED:
            return self._chunks(data)
        if self._framing is _Framing.LENGTH:
            return self._counted(data)
        return data

    def end(self) -> None:
        """The server has closed the connection.

        Raises:
            httpx.RemoteProtocolError: when the response is not complete.
        """
        self.reusable = False
        if self.head is None:
            raise httpx.RemoteProtocolError("the server closed the connection without an answer")
        if self._framing is _Framing.CLOSE:
            self.complete = True
        if not self.complete:
            raise httpx.RemoteProtocolError("the server closed the connection in the middle of an answer")

    def _read_head(self, data: bytes) -> bytes | None:
        """What follows the final head; ``None`` while it is not there."""
        known = max(len(self._rest) - 3, 0)  # no need to look for the end there again
        text = self._rest + data if self._rest else data
        while True:
            ends = _END_OF_HEAD.search(text, known)
            if ends is None:
                self._rest = self._within_bounds(text)
                return None
            self._spend(ends.end())
            head = _parsed_head(text[: ends.start()])
            text, known = text[ends.end() :], 0
            if head.status >= 200:
                self._rest = b""
                self._begin(head)
                return text
            if head.status == 101:
                raise httpx.RemoteProtocolError("the server wants to speak another protocol")

    def _within_bounds(self, text: bytes) -> bytes:
        if len(text) > self._spare:
            raise httpx.RemoteProtocolError(f"the head of the answer is longer than {_MOST_HEAD_BYTES} bytes")
        return text

    def _spend(self, size: int) -> None:
        self._spare -= size
        if self._spare < 0:
            raise httpx.RemoteProtocolError(f"heads and trailers are longer than {_MOST_HEAD_BYTES} bytes")

    def _begin(self, head: Head) -> None:
        self.head = head
        said: dict[bytes, list[bytes]] = {name: [] for name in _FRAMING_HEADERS}
        for name, value in head.headers:
            if (known := said.get(name.lower())) is not None:
                known.append(value.lower())
        connection, codings = b",".join(said[b"connection"]), b",".join(said[b"transfer-encoding"])
        lengths = set(said[b"content-length"])
        self.reusable = b"keep-alive" in connection if head.old else b"close" not in connection
        if self._method == "HEAD" or head.status in {204, 304}:
            self.complete = True
        elif codings:
            if codings != b"chunked":
                raise httpx.RemoteProtocolError("the answer has a transfer coding that nobody asked for")
            self._framing = _Framing.CHUNKED
            self.reusable = self.reusable and not lengths and not head.old
        elif lengths:
            length = lengths.pop()
            if lengths or not length.isdigit() or len(length) > _MOST_LENGTH_DIGITS:
                raise httpx.RemoteProtocolError("the length of the answer is contradictory")
            self._framing, self._left = _Framing.LENGTH, int(length)
            self.complete = self._left == 0
        else:
            self.reusable = False

    def _counted(self, data: bytes) -> bytes:
        body = data[: self._left]
        self._left -= len(body)
        self.complete = self._left == 0
        if len(data) > len(body):
            self.reusable = False
        return body

    def _chunks(self, data: bytes) -> bytes:
        if self._rest:
            data, self._rest = self._rest + data, b""
        pieces: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.complete:
            if self._left:
                pieces.append(data[at : at + self._left])
                at += len(pieces[-1])
                self._left -= len(pieces[-1])
                self._after_data = not self._left
                continue
            following = self._between(data, at)
            if following is None:
                self._rest = data[at:]
                if len(self._rest) > _MOST_LINE_BYTES:
                    raise httpx.RemoteProtocolError("the size of a chunk has no end")
                break
            at = following
            end = at + self._left
            if self._left and data[end : end + 2] == b"\r\n":  # a whole chunk at once: the usual case
                pieces.append(data[at:end])
                at, self._left = end + 2, 0
        if self.complete and at < size:
            self.reusable = False
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _between(self, data: bytes, at: int) -> int | None:
        """Read what stands between the data of two chunks; where it ends, ``None`` if it is not all there."""
        if self._after_data:
            mark = data[at : at + 2]
            if len(mark) < 2 and b"\r\n".startswith(mark):
                return None
            if mark != b"\r\n":
                raise httpx.RemoteProtocolError("a chunk is longer than it said")
            self._after_data = False
            return at + 2
        if self._trailers:
            end = data.find(b"\r\n", at)
            if end < 0:
                return None
            self.complete = end == at
            self._spend(end + 2 - at)
            return end + 2
        found = _CHUNK_SIZE.match(data, at)
        if found is None:
            if b"\r\n" in data[at : at + _MOST_LINE_BYTES]:
                raise httpx.RemoteProtocolError("a chunk without a size")
            return None
        self._left = int(found[1], 16)
        self._trailers = not self._left
        return found.end()


def _parsed_head(text: bytes) -> Head:
    text = text.replace(b"\r\n", b"\n")
    if b"\r" in text or b"\x00" in text:  # others might see a line break there
        raise httpx.RemoteProtocolError("the head of the answer has a bare carriage return or a zero byte")
    first, *lines = text.split(b"\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise httpx.RemoteProtocolError("the answer does not begin like HTTP/1.1")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise httpx.RemoteProtocolError("a header of the answer is malformed")
        headers.append((header[1], header[2].strip(b" \t")))
    return Head(status=int(status[2]), headers=tuple(headers), old=status[1] == b"0")
