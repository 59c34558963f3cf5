"""Server-sent events, parsed from bytes as they come.

Sans-IO: bytes go in by :meth:`SseParser.feed`, complete events come out. Lines end with LF, CRLF or CR and with nothing
else (``str.splitlines`` would also split at U+2028 and U+0085, which are legal inside JSON text). Follows the
"event stream interpretation" chapter of the HTML standard; an event cut off by the end of the stream is dropped.
"""

from __future__ import annotations

import re

from attrs import frozen

from mlo.errors import ProtocolViolated

__all__ = ["SseEvent", "SseParser"]

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


@frozen
class SseEvent:
    """One event. ``event`` is ``message`` unless the server names it; ``id`` is the last one seen on the stream."""

    data: str
    event: str = "message"
    id: str = ""


class SseParser:
    """A push parser. Time is linear in the bytes fed, however they are split.

    ``max_event_bytes`` bounds the memory that one event may take.
    """

    __slots__ = ("_after_cr", "_data", "_event", "_id", "_limit", "_pieces", "_size", "_started")

    def __init__(self, *, max_event_bytes: int = 16 * 2**20) -> None:
        self._limit = max_event_bytes
        self._pieces: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """The events that ``chunk`` completes.

        Raises:
            ProtocolViolated: when one event exceeds ``max_event_bytes``.
        """
        if not self._started:
            chunk = self._without_bom(chunk)
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        self._size += len(chunk)
        has_cr = b"\r" in chunk
        if not has_cr and b"\n" not in chunk:
            self._pieces.append(chunk)
            self._check_size()
            return []
        if self._pieces:
            self._pieces.append(chunk)
            chunk = b"".join(self._pieces)
            self._pieces.clear()
        if has_cr:
            self._after_cr = chunk.endswith(b"\r")
            lines = _LINE_END.split(chunk)
        else:
            lines = chunk.split(b"\n")
        rest = lines.pop()
        events = self._take(lines)
        if rest:
            self._pieces.append(rest)
        if events or not self._data:
            self._size = len(rest) + sum(map(len, self._data))
        self._check_size()
        return events

    def close(self) -> bool:
        """End of input: forgets what is incomplete and says whether there was anything."""
        incomplete = bool(self._pieces or self._data)
        self._pieces.clear()
        self._data.clear()
        self._event = ""
        return incomplete

    def _without_bom(self, chunk: bytes) -> bytes:
        head = b"".join(self._pieces) + chunk
        self._pieces.clear()
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._pieces.append(head)  # too short to tell; what follows decides
            return b""
        self._started = True
        return head.removeprefix(_BOM)

    def _check_size(self) -> None:
        if self._size > self._limit:
            sample = b"".join(self._data[:1] + self._pieces[:1])[:80].decode("utf-8", "replace")
            raise ProtocolViolated(f"one server-sent event is larger than {self._limit} bytes", sample=sample)

    def _take(self, lines: list[bytes]) -> list[SseEvent]:
        events: list[SseEvent] = []
        data = self._data
        for line in lines:
            if line[:6] == b"data: ":
                data.append(line[6:])
            elif line:
                self._field(line)
            elif data:
                raw = data[0] if len(data) == 1 else b"\n".join(data)
                data.clear()
                events.append(SseEvent(raw.decode("utf-8", "replace"), self._event or "message", self._id))
                self._event = ""
            else:
                self._event = ""
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
