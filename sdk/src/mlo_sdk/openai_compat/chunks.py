"""The chunks of a streamed answer as events. Pure: the state of one answer, fed with parsed chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported

from .dialect import Dialect
from .from_wire import REASONING_FIELDS, call_id_of, finish_reason, raw_of, usage_of
from .wire import json_text, list_of_mappings, mapping, number, text, text_of_content

__all__ = ["ChunkReader"]


class ChunkReader:
    """Turns chunks into events, and knows at the end whether the answer is whole.

    :meth:`finished` is the last event; it is held back because token counts may come after the finish reason.
    """

    def __init__(self, dialect: Dialect, request_id: str | None = None) -> None:
        self._dialect = dialect
        self._request_id = request_id
        self._started = False
        self._refused = False
        self._reason: object = None
        self._raw: dict[str, Any] = {}
        self._calls: list[str | None] = []  # the server's id of each call so far
        self._places: dict[int, int] = {}  # the server's index of a call -> ours

    @property
    def complete(self) -> bool:
        """Whether the server has given a finish reason."""
        return self._reason is not None

    def events(self, chunk: Mapping[str, Any]) -> list[Event]:
        """The events of one chunk."""
        found: list[Event] = []
        if not self._started:
            self._started = True
            found.append(
                Started(model=text(chunk, "model"), response_id=text(chunk, "id"), request_id=self._request_id)
            )
        for choice in list_of_mappings(chunk, "choices"):
            if choice.get("index", 0) in {0, None}:
                found.extend(self._delta(mapping(choice, "delta")))
                reason = choice.get("finish_reason")
                if reason is not None:
                    self._reason = reason
                    self._raw |= raw_of(chunk, reason)
        if chunk.get("usage"):
            found.append(UsageReported(usage_of(chunk)))
        return found

    def finished(self) -> Finished:
        """The last event."""
        return Finished(finish_reason(self._reason, called=bool(self._calls), refused=self._refused), self._raw)

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Event]:
        content = delta.get("content")
        if said := content if isinstance(content, str) else text_of_content(content):
            yield TextDelta(said)
            if len(delta) == 1:  # the common case
                return
        if thought := text(delta, *REASONING_FIELDS):
            yield ReasoningDelta(thought)
        if refusal := text(delta, "refusal"):
            self._refused = True
            yield TextDelta(refusal)
        for call in list_of_mappings(delta, "tool_calls"):
            yield self._call(call)

    def _call(self, call: Mapping[str, Any]) -> ToolCallDelta:
        function = mapping(call, "function")
        call_id, name = text(call, "id"), text(function, "name")
        index = self._index(number(call, "index"), call_id, name)
        opened = index == len(self._calls)
        if opened:
            self._calls.append(call_id)
        return ToolCallDelta(
            index=index,
            id=call_id_of(call_id, self._dialect) if opened else None,
            name=name if opened else None,
            arguments=json_text(function.get("arguments")),
        )

    def _index(self, theirs: int | None, call_id: str | None, name: str | None) -> int:
        """Which call a piece belongs to: some servers send no index, some index 0 for each of several calls."""
        if theirs is None:
            known = len(self._calls) - 1 if self._calls and name is None else None
        else:
            known = self._places.get(theirs)
        if known is not None and (name is None or call_id is None or call_id == self._calls[known]):
            return known
        index = len(self._calls)
        if theirs is not None:
            self._places[theirs] = index
        return index
