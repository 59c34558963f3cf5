"""From native answers to events and responses. Pure: a push parser of frames, and the whole answer.

::

    frame: "При" ─ "Привет" ─ "Привет, мир" (FINAL)      each repeats the text from the beginning
    event:  При      вет          , мир  Finished
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve

from mlo.errors import ProtocolViolated, TransportFailed
from mlo.events import Event, Finished, Started, TextDelta, ToolCallDelta, UsageReported
from mlo.messages import Message, Role, ToolCall
from mlo.models import Price
from mlo.responses import ChatResponse, FinishReason, Usage

from .stops import StopCutter, cut_text
from .wire import Frame, read_frame

__all__ = ["FrameReader", "arguments_text", "chat_response", "with_cost"]

_SHOWN = 40


class FrameReader:
    """Turns cumulative frames into deltas.

    ``buffer`` holds all text back until it is final; otherwise a frame that takes text back is an error. ``stops`` are
    sequences at which the answer ends, without them.
    """

    __slots__ = ("_buffer", "_cutter", "_model", "_price", "_request_id", "_seen", "_started", "finished")

    def __init__(
        self,
        *,
        model: str,
        request_id: str | None = None,
        price: Price | None = None,
        buffer: bool = False,
        stops: Sequence[str] = (),
    ) -> None:
        self._model, self._request_id, self._price, self._buffer = model, request_id, price, buffer
        self._cutter = StopCutter(stops) if stops else None
        self._seen = ""
        self._started = False
        self.finished: Finished | None = None

    def feed(self, document: dict[str, Any]) -> list[Event]:
        """The events of one frame, without the last one: that is :attr:`finished`, to be sent when all is read.

        Raises:
            ProtocolViolated: a frame that cannot be read, or that takes back text which was already passed on.
        """
        frame = read_frame(document, self._price)
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(model=self._model, request_id=self._request_id))
        text = self._delta(frame)
        if text:
            events.append(TextDelta(text))
        if frame.calls:
            events += tool_call_deltas(frame.calls)
        if frame.usage is not None:
            events.append(UsageReported(frame.usage))
        if self._cutter is not None and self._cutter.hit:
            self.finished = Finished(FinishReason.STOP, _raw(frame))
        elif frame.reason is not None:
            self.finished = Finished(frame.reason, _raw(frame))
        return events

    @property
    def stopped_early(self) -> bool:
        """Whether a stop sequence ended the answer, so that the rest is not worth reading."""
        return self._cutter is not None and self._cutter.hit

    def close(self) -> Finished:
        """End of the stream.

        Raises:
            TransportFailed: when it was cut: no frame had a final status.
        """
        if self.finished is None:
            raise TransportFailed("the stream ended without a final status: the answer is not complete")
        return self.finished

    def _delta(self, frame: Frame) -> str:
        whole = frame.text
        final = frame.reason is not None
        if self._buffer:
            if not final:
                return ""
        elif not whole.startswith(self._seen):
            if not _replaces_nothing(frame):
                raise _rewritten(self._seen, whole)
            return ""
        new = whole[len(self._seen) :]
        self._seen = whole or self._seen
        if self._cutter is None:
            return new
        return self._cutter.feed(new) + (self._cutter.close() if final else "")


def _replaces_nothing(frame: Frame) -> bool:
    """Whether other text is no rewriting: calls come without text, a refusal's canned phrase is not the answer's."""
    return (bool(frame.calls) and not frame.text) or frame.reason is FinishReason.CONTENT_FILTER


def _rewritten(seen: str, whole: str) -> ProtocolViolated:
    at = next(
        (i for i, (old, new) in enumerate(zip(seen, whole, strict=False)) if old != new), min(len(seen), len(whole))
    )
    return ProtocolViolated(
        f"the model took back text that was already streamed, from character {at} on: {seen[at : at + _SHOWN]!r} became"
        f' {whole[at : at + _SHOWN]!r} (on_rewrite = "buffer" waits for the final text)',
        sample=whole[:_SHOWN],
    )


def tool_call_deltas(calls: Sequence[Mapping[str, Any]]) -> Iterator[ToolCallDelta]:
    """A call each, whole. The wire has no ids; ours are unique, so that two calls of one function can be told apart.

    Raises:
        ProtocolViolated: a call without a name.
    """
    for index, call in enumerate(calls):
        name = call.get("name")
        if not isinstance(name, str) or not name:
            raise ProtocolViolated("a tool call without a name", sample=str(call)[:200])
        arguments = arguments_text(call.get("arguments") or {})
        yield ToolCallDelta(index=index, id=f"call_{uuid.uuid4().hex}", name=name, arguments=arguments)


def chat_response(
    document: dict[str, Any],
    *,
    model: str,
    request_id: str | None = None,
    price: Price | None = None,
    stops: Sequence[str] = (),
) -> ChatResponse:
    """The whole answer out of one message.

    Raises:
        ProtocolViolated: when it cannot be read, or is not final.
    """
    frame = read_frame(document, price)
    if frame.reason is None:
        raise ProtocolViolated(
            f"a whole answer with the status {frame.status or 'nothing'}, which is not final",
            sample=str(document)[:200],
        )
    text, reason = frame.text, frame.reason
    if stops:
        text, hit = cut_text(text, stops)
        reason = FinishReason.STOP if hit else reason
    calls = tuple(
        ToolCall(id=delta.id or "", name=delta.name or "", arguments=delta.arguments)
        for delta in tool_call_deltas(frame.calls)
    )
    return ChatResponse(
        message=Message(role=Role.ASSISTANT, content=text, tool_calls=calls),
        finish_reason=reason,
        usage=frame.usage or Usage(),
        model=model,
        request_id=request_id,
        raw=_raw(frame),
    )


def _raw(frame: Frame) -> dict[str, Any]:
    return {"status": frame.status, "modelVersion": frame.version}


def with_cost(usage: Usage, price: Price | None) -> Usage:
    """``usage`` with its price, where tokens and price are known."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if price is None or prompt is None or completion is None:
        return usage
    cached = usage.cached_tokens or 0
    return evolve(usage, cost=price.cost(prompt=prompt - cached, completion=completion, cached=cached))


def arguments_text(arguments: Any) -> str:
    """The arguments of a call as JSON text.

    protobuf's Struct knows doubles only, so ``5`` comes as ``5.0``: whole numbers are made integers again.
    """
    return json.dumps(_whole_numbers(arguments), ensure_ascii=False)


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    return value
