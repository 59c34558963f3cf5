"""A response as JSON: its frame, its items, and a whole one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from attrs import field, frozen

from mlo.responses import ChatResponse, FinishReason, Usage

from .fields import Json
from .usage import response_usage

__all__ = ["ResponseFrame", "call_item", "message_item", "output_of", "reasoning_item", "text_part", "whole_response"]

_INCOMPLETE = {FinishReason.LENGTH: "max_output_tokens", FinishReason.CONTENT_FILTER: "content_filter"}
_REPEATED = ("instructions", "max_output_tokens", "metadata", "temperature", "top_p", "user", "prompt_cache_key")


@frozen(kw_only=True)
class ResponseFrame:
    """What all states of one response have in common. ``body`` is the request that it answers."""

    response_id: str
    model: str
    created: int
    body: Json = field(repr=False)

    def shown(self, status: str, output: Sequence[Json], usage: Usage | None = None, **more: Any) -> Json:
        """The response in a state, with what it holds so far."""
        body = self.body
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            **{name: body.get(name) for name in _REPEATED},
            "model": self.model,
            "output": list(output),
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": None,
            "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
            "store": False,
            "text": {"format": {"type": "text"}, **(body.get("text") or {})},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "truncation": "disabled",
            "background": False,
            "usage": None if usage is None else response_usage(usage),
            **more,
        }

    @staticmethod
    def status_of(reason: FinishReason) -> str:
        """What a response is called that ended for that reason."""
        return "incomplete" if reason in _INCOMPLETE else "completed"

    def ended(self, reason: FinishReason, output: Sequence[Json], usage: Usage) -> Json:
        """The response as it is at its end."""
        why = _INCOMPLETE.get(reason)
        details = None if why is None else {"reason": why}
        return self.shown(self.status_of(reason), output, usage, incomplete_details=details)


def whole_response(frame: ResponseFrame, response: ChatResponse) -> bytes:
    """A whole answer."""
    return orjson.dumps(frame.ended(response.finish_reason, output_of(frame, response), response.usage))


def output_of(frame: ResponseFrame, response: ChatResponse) -> list[Json]:
    """The items of a whole answer: what the model thought, said and called."""
    number = frame.response_id.removeprefix("resp_")
    status = frame.status_of(response.finish_reason)
    found: list[Json] = []
    if response.message.reasoning:
        found.append(reasoning_item(f"rs_{number}", response.message.reasoning, status))
    if response.text or not response.tool_calls:
        found.append(message_item(f"msg_{number}", [text_part(response.text)], status))
    for index, call in enumerate(response.tool_calls):
        found.append(call_item(f"fc_{number}_{index}", call.id, call.name, call.arguments, status))
    return found


def text_part(text: str) -> Json:
    """Text of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(item_id: str, content: Sequence[Json], status: str) -> Json:
    """What the model said."""
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": list(content)}


def reasoning_item(item_id: str, text: str, status: str) -> Json:
    """What the model thought."""
    content = [{"type": "reasoning_text", "text": text}] if text else []
    return {"id": item_id, "type": "reasoning", "status": status, "summary": [], "content": content}


def call_item(item_id: str, call_id: str, name: str, arguments: str, status: str) -> Json:
    """A function that the model calls."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }
