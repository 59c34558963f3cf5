"""What accounting needs of an answer in OpenAI's wire, read from its bytes without parsing all of them. Pure.

A name between two quotes that is followed by a colon is a key: inside of texts, quotes are escaped.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from mlo.relay import RelaySummary
from mlo.responses import FinishReason, Usage

from .from_wire import finish_reason, usage_of

__all__ = ["StreamTail", "frames_of", "is_done", "is_odd", "summary_of", "whole_frames"]

_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
_REASON = re.compile(rb'"finish_reason"\s*:\s*"(\w+)"')
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]+)"')
_CALLS = re.compile(rb'"tool_calls"\s*:\s*\[\s*\{')
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_DONE = re.compile(rb"data:[ \t]*\[DONE\]")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_SAID = re.compile(rb'"(?:content|reasoning_content|reasoning|refusal|arguments)"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"')
_ENDS: Final = (b"\n\n", b"\r\n\r\n")
_DECODER = json.JSONDecoder()
_LAST_PIECES: Final = 4
_COUNTED_BYTES: Final = 16_384


def is_odd(body: bytes) -> bool:
    """Whether a whole answer may be none, so that somebody should parse it."""
    return b'"choices"' not in body or b'"error"' in body or _NO_CHOICES.search(body) is not None


def summary_of(body: bytes, request_id: str | None = None) -> RelaySummary:
    """What a whole answer says of itself."""
    return RelaySummary(
        usage=_usage_in(body),
        finish_reason=_reason_in(body, called=_CALLS.search(body) is not None),
        model=_model_in(body),
        request_id=request_id,
    )


def is_done(frames: bytes) -> bool:
    """Whether the last word of a stream is among the frames, of which the last one may be cut."""
    if b"[DONE]" not in frames:
        return False
    # at the beginning of a line: a text may hold it, too
    return any(found.start() == 0 or frames[found.start() - 1] in b"\r\n" for found in _DONE.finditer(frames))


def frames_of(data: bytes) -> list[bytes]:
    """The frames one by one, each with the blank line behind it."""
    frames, start = [], 0
    for blank in _BLANK_LINE.finditer(data):
        frames.append(data[start : blank.end()])
        start = blank.end()
    return frames


def whole_frames(data: bytes) -> int:
    """How many bytes of ``data`` are whole frames."""
    if data.endswith(_ENDS):
        return len(data)
    return max(data.rfind(end) + len(end) if end in data else 0 for end in _ENDS)


class StreamTail:
    """Reads along while whole frames go through.

    ``withhold`` keeps the frame with nothing but token counts from the client, who has not asked for it.
    """

    __slots__ = ("_characters", "_last", "_model", "_uncounted", "_usage", "_waiting", "_withhold")

    def __init__(self, *, withhold: bool) -> None:
        self._withhold = withhold
        self._usage = b""  # the last frame with counts
        self._last: deque[bytes] = deque(maxlen=_LAST_PIECES)
        self._model: str | None = None
        self._uncounted: list[bytes] = []
        self._waiting = 0
        self._characters = 0

    def pass_through(self, frames: bytes) -> bytes:
        """The frames for the client."""
        self._last.append(frames)
        self._uncounted.append(frames)
        self._waiting += len(frames)
        if self._waiting > _COUNTED_BYTES:
            self._count()
        if self._withhold and _USAGE.search(frames) is not None:
            return self._without_usage(frames)
        return frames

    def has_reason(self, rest: bytes = b"") -> bool:
        """Whether the server has given a finish reason, ``rest`` of the stream included."""
        return _REASON.search(b"".join([*self._last, rest])) is not None

    def summary(self, request_id: str | None = None) -> RelaySummary:
        """What is known by now. Token counts of an answer that goes on are those so far, if the server tells them."""
        self._count()
        tail = b"".join(self._last)
        return RelaySummary(
            usage=_usage_in(self._usage or tail),
            finish_reason=_reason_in(tail, called=False),
            model=self._model,
            request_id=request_id,
            characters=self._characters,
        )

    def _without_usage(self, frames: bytes) -> bytes:
        kept, passed = [], 0
        for found in _USAGE.finditer(frames):
            if found.start() < passed:
                continue  # the same frame says it twice
            start, end = _frame_around(frames, found.start())
            self._usage = frames[start:end]
            if _NO_CHOICES.search(self._usage) is not None:
                kept.append(frames[passed:start])
                passed = end
        return b"".join((*kept, frames[passed:]))

    def _count(self) -> None:
        if not self._uncounted:
            return
        if self._model is None:
            self._model = _model_in(self._uncounted[0])
        self._characters += _characters_in(self._uncounted)
        self._uncounted.clear()
        self._waiting = 0


def _frame_around(frames: bytes, place: int) -> tuple[int, int]:
    """Where the frame begins and ends that holds ``place``."""
    before = ((b"\n\n", 2), (b"\n\r\n", 3))
    start = max(found + size if (found := frames.rfind(mark, 0, place)) >= 0 else 0 for mark, size in before)
    blank = _BLANK_LINE.search(frames, place)
    return start, len(frames) if blank is None else blank.end()


def _usage_in(data: bytes) -> Usage:
    place = data.rfind(b'"usage"')
    while place >= 0:
        found = _USAGE.match(data, place)
        if found is not None:
            break
        place = data.rfind(b'"usage"', 0, place)
    else:
        return Usage()
    try:
        counts, _ = _DECODER.raw_decode(data[found.end() :].decode("utf-8", "replace"))
    except ValueError:
        return Usage()
    return usage_of({"usage": counts})


def _reason_in(data: bytes, *, called: bool) -> FinishReason | None:
    found = _REASON.findall(data)
    return finish_reason(found[-1].decode(), called=called) if found else None


def _model_in(data: bytes) -> str | None:
    found = _MODEL.search(data)
    return None if found is None else found[1].decode("utf-8", "replace")


def _characters_in(pieces: Iterable[bytes]) -> int:
    said = b"".join(_SAID.findall(b"".join(pieces)))
    text = said.decode("utf-8", "replace")
    if "\\" not in text:
        return len(text)
    try:
        return len(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return len(text)
