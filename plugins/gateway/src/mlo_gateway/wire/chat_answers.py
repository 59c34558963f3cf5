"""Chat completions: whole ones, and the chunks of streamed ones."""

from __future__ import annotations

from typing import Any, Final

import orjson

from mlo.events import Event, Finished, ReasoningDelta, TextDelta, ToolCallDelta, UsageReported
from mlo.messages import ToolCall
from mlo.responses import ChatResponse, FinishReason, Usage
from mlo_gateway.contracts import GatewayError

from .errors import error_event
from .fields import Json
from .usage import chat_usage

__all__ = ["DONE", "ChunkWriter", "completion"]

DONE: Final = b"data: [DONE]\n\n"
_dumps = orjson.dumps


def completion(response: ChatResponse, *, answer_id: str, model: str, created: int) -> bytes:
    """A whole answer. ``model`` is the name to give where the provider gave none."""
    message: Json = {"role": "assistant", "content": response.text or None, "refusal": None}
    if response.tool_calls:
        message["tool_calls"] = [_call(call) for call in response.tool_calls]
    elif message["content"] is None:
        message["content"] = ""
    if response.message.reasoning:
        message["reasoning_content"] = response.message.reasoning
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(response.finish_reason)}
    answer: Json = {
        "id": answer_id,
        "object": "chat.completion",
        "created": created,
        "model": response.model or model,
        "choices": [choice],
    }
    usage = chat_usage(response.usage)
    if usage is not None:
        answer["usage"] = usage
    return _dumps(answer)


def _call(call: ToolCall) -> Json:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _reason(reason: FinishReason) -> str:
    return "stop" if reason is FinishReason.OTHER else reason.value


class ChunkWriter:
    """Turns the events of one answer into server-sent chunks.

    What all chunks have in common is encoded once: a piece of text costs one encoding of that text.
    """

    __slots__ = ("_calls", "_head", "_role", "_tail", "_usage", "_wants_usage")

    def __init__(self, *, answer_id: str, model: str, created: int, wants_usage: bool) -> None:
        common = {"id": answer_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + _dumps(common)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if wants_usage else b"]}\n\n"
        self._role = b'"role":"assistant",'
        self._wants_usage = wants_usage
        self._usage = Usage()
        self._calls = 0

    @property
    def usage(self) -> Usage:
        """The newest token counts."""
        return self._usage

    def write(self, event: Event) -> bytes:
        """The chunks that ``event`` makes; none for what the client is not told, or not yet."""
        kind = type(event)
        if kind is TextDelta:
            return self._delta(b'"content":' + _dumps(event.text))  # type: ignore[union-attr]  # as `kind` says
        if kind is ToolCallDelta:
            return self._delta(b'"tool_calls":[' + _dumps(_call_delta(event)) + b"]")  # type: ignore[arg-type]
        if kind is ReasoningDelta:
            return self._delta(b'"reasoning_content":' + _dumps(event.text))  # type: ignore[union-attr]
        if kind is UsageReported:
            self._usage = event.usage  # type: ignore[union-attr]
        elif kind is Finished:
            return self._end(event)  # type: ignore[arg-type]
        return b""

    def fail(self, error: GatewayError) -> bytes:
        """The last event of an answer that broke off."""
        return error_event(error)

    def _delta(self, fields: bytes) -> bytes:
        role, self._role = self._role, b""
        return b'%b{"index":0,"delta":{%b%b},"finish_reason":null}%b' % (self._head, role, fields, self._tail)

    def _end(self, event: Finished) -> bytes:
        role, self._role = self._role[:-1], b""
        reason = _dumps(_reason(event.reason))
        last = b'%b{"index":0,"delta":{%b},"finish_reason":%b}%b' % (self._head, role, reason, self._tail)
        if self._wants_usage:
            last += self._head + b'],"usage":' + _dumps(chat_usage(self._usage)) + b"}\n\n"
        return last + DONE


def _call_delta(delta: ToolCallDelta) -> dict[str, Any]:
    function: Json = {"arguments": delta.arguments}
    if delta.name is not None:
        function = {"name": delta.name, **function}
    if delta.id is None and delta.name is None:
        return {"index": delta.index, "function": function}
    return {"index": delta.index, "id": delta.id, "type": "function", "function": function}
