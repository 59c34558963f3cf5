"""The events of a streamed response. Pure: the state of one answer, fed with the kernel's events.

::

    response.created  response.in_progress
        (response.output_item.added  …deltas…  …done  response.output_item.done)*
    response.completed | response.incomplete | response.failed
"""

from __future__ import annotations

from typing import Any

import orjson
from attrs import define

from mlo.events import Event, Finished, ReasoningDelta, TextDelta, ToolCallDelta, UsageReported
from mlo.responses import Usage
from mlo_gateway.contracts import GatewayError

from .fields import Json
from .response_objects import ResponseFrame, call_item, message_item, reasoning_item, text_part

__all__ = ["ResponseEventWriter"]

_dumps = orjson.dumps


@define
class _OpenItem:
    """The item that is being written: ``kind`` is ``message``, ``reasoning`` or ``call``."""

    kind: str
    item_id: str
    index: int
    pieces: list[str]
    call_id: str = ""
    name: str = ""
    head: bytes = b""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def shown(self, status: str, *, empty: bool = False) -> Json:
        text = "" if empty else self.text
        if self.kind == "message":
            return message_item(self.item_id, [] if empty else [text_part(text)], status)
        if self.kind == "reasoning":
            return reasoning_item(self.item_id, text, status)
        return call_item(self.item_id, self.call_id, self.name, text, status)


class ResponseEventWriter:
    """Turns the events of one answer into those of a streamed response."""

    def __init__(self, frame: ResponseFrame) -> None:
        self._frame = frame
        self._sequence = 0
        self._done: dict[int, Json] = {}
        self._items = 0
        self._text: _OpenItem | None = None
        self._calls: dict[int, _OpenItem] = {}  # open to the end, for their pieces may come in turns
        self._usage = Usage()
        self._number = frame.response_id.removeprefix("resp_")

    @property
    def usage(self) -> Usage:
        """The newest token counts."""
        return self._usage

    def write(self, event: Event) -> bytes:
        """What the client is sent because of ``event``."""
        start = self._start() if not self._sequence else b""
        kind = type(event)
        if kind is TextDelta:
            return start + self._said("message", event.text)  # type: ignore[union-attr]  # as `kind` says
        if kind is ToolCallDelta:
            return start + self._called(event)  # type: ignore[arg-type]
        if kind is ReasoningDelta:
            return start + self._said("reasoning", event.text)  # type: ignore[union-attr]
        if kind is UsageReported:
            self._usage = event.usage  # type: ignore[union-attr]
        elif kind is Finished:
            return start + self._end(event)  # type: ignore[arg-type]
        return start

    def fail(self, error: GatewayError) -> bytes:
        """The last event of an answer that broke off."""
        unfinished = [*self._calls.values(), *([] if self._text is None else [self._text])]
        output = self._output({item.index: item.shown("incomplete") for item in unfinished})
        told = {"code": "server_error", "message": error.message}
        return self._event("response.failed", response=self._frame.shown("failed", output, self._usage, error=told))

    def _start(self) -> bytes:
        shown = self._frame.shown("in_progress", [])
        return self._event("response.created", response=shown) + self._event("response.in_progress", response=shown)

    def _said(self, kind: str, text: str) -> bytes:
        item, before = self._text, b""
        if item is None or item.kind != kind:
            before = self._close_text("completed")
            item, opening = self._opened(kind, f"{'msg' if kind == 'message' else 'rs'}_{self._number}_{self._items}")
            self._text = item
            before += opening
        item.pieces.append(text)
        return before + self._delta(item, text)

    def _called(self, delta: ToolCallDelta) -> bytes:
        item, before = self._calls.get(delta.index), b""
        if item is None:
            before = self._close_text("completed")
            call_id = delta.id or f"call_{delta.index}"
            number = f"fc_{self._number}_{self._items}"
            item, opening = self._opened("call", number, call_id=call_id, name=delta.name or "")
            self._calls[delta.index] = item
            before += opening
        if not delta.arguments:
            return before
        item.pieces.append(delta.arguments)
        return before + self._delta(item, delta.arguments)

    def _opened(self, kind: str, item_id: str, **call: Any) -> tuple[_OpenItem, bytes]:
        item = _OpenItem(kind, item_id, self._items, [], **call)
        self._items += 1
        added = self._event(
            "response.output_item.added", output_index=item.index, item=item.shown("in_progress", empty=True)
        )
        where: Json = {"item_id": item_id, "output_index": item.index}
        if kind == "call":
            name = "response.function_call_arguments.delta"
        else:
            where["content_index"] = 0
            part = text_part("") if kind == "message" else {"type": "reasoning_text", "text": ""}
            added += self._event("response.content_part.added", **where, part=part)
            name = "response.output_text.delta" if kind == "message" else "response.reasoning_text.delta"
        fields = {"type": name, **where, **({"logprobs": []} if kind == "message" else {})}
        item.head = b"event: " + name.encode() + b"\ndata: " + _dumps(fields)[:-1]
        return item, added

    def _delta(self, item: _OpenItem, text: str) -> bytes:
        """One piece; what the pieces of an item have in common is encoded once."""
        number = self._sequence
        self._sequence += 1
        return b'%b,"sequence_number":%d,"delta":%b}\n\n' % (item.head, number, _dumps(text))

    def _close_text(self, status: str) -> bytes:
        item, self._text = self._text, None
        return b"" if item is None else self._closed(item, status)

    def _close_all(self, status: str) -> bytes:
        closed = self._close_text(status)
        for item in self._calls.values():
            closed += self._closed(item, status)
        self._calls.clear()
        return closed

    def _output(self, more: dict[int, Json] | None = None) -> list[Json]:
        return [item for _, item in sorted({**self._done, **(more or {})}.items())]

    def _closed(self, item: _OpenItem, status: str) -> bytes:
        where: Json = {"item_id": item.item_id, "output_index": item.index}
        if item.kind == "call":
            if not item.pieces:
                item.pieces.append("{}")
            said = self._event("response.function_call_arguments.done", **where, name=item.name, arguments=item.text)
        else:
            where["content_index"] = 0
            if item.kind == "message":
                said = self._event("response.output_text.done", **where, text=item.text, logprobs=[])
                part = text_part(item.text)
            else:
                said = self._event("response.reasoning_text.done", **where, text=item.text)
                part = {"type": "reasoning_text", "text": item.text}
            said += self._event("response.content_part.done", **where, part=part)
        shown = item.shown(status)
        self._done[item.index] = shown
        return said + self._event("response.output_item.done", output_index=item.index, item=shown)

    def _end(self, event: Finished) -> bytes:
        before = b""
        if not self._items:  # an empty answer is a message, too
            self._text, before = self._opened("message", f"msg_{self._number}_0")
        status = self._frame.status_of(event.reason)
        before += self._close_all(status)
        ended = self._frame.ended(event.reason, self._output(), self._usage)
        return before + self._event(f"response.{status}", response=ended)

    def _event(self, name: str, /, **fields: Any) -> bytes:
        data = _dumps({"type": name, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (name.encode(), data)
