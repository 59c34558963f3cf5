"""The OpenAI-compatible side: the same models and generations in other clothes. It cannot set ``num_ctx``."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from .wire import Refused

__all__ = ["chunks_of", "completion_of", "error_body", "model_object", "native_request"]

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}


def error_body(error: Refused) -> dict[str, Any]:
    """The shape of errors on this side."""
    kind = _TYPES.get(error.status, "api_error")
    return {"error": {"message": error.error, "type": kind, "param": None, "code": None}}


def model_object(name: str) -> dict[str, Any]:
    """A model in ``/v1/models``."""
    return {"id": name, "object": "model", "created": 1_785_585_600, "owned_by": "library"}


def native_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """The chat request of the native side that a completion request stands for.

    Raises:
        Refused: 400, for messages that cannot be read.
    """
    options = {native: body[name] for name, native in _OPTIONS.items() if body.get(name) is not None}
    stop = body.get("stop")
    if stop:
        options["stop"] = [stop] if isinstance(stop, str) else stop
    if not isinstance(body.get("messages"), list) or not body["messages"]:
        raise Refused(400, "[] is too short - 'messages'")
    return {
        "model": body.get("model"),
        "messages": [_message(message) for message in body["messages"]],
        "stream": body.get("stream") is True,
        "tools": body.get("tools") or [],
        "format": _format(body.get("response_format") or {}),
        "options": options,
        **({"think": _think(body["reasoning_effort"])} if body.get("reasoning_effort") else {}),
    }


def _think(effort: str) -> bool | str:
    return False if effort == "none" else effort


def _format(wanted: Mapping[str, Any]) -> Any:
    if wanted.get("type") == "json_schema":
        return (wanted.get("json_schema") or {}).get("schema") or {}
    return "json" if wanted.get("type") == "json_object" else None


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content") or ""
    images: list[str] = []
    if isinstance(content, list):
        urls = [part["image_url"]["url"] for part in content if part.get("type") == "image_url"]
        images = [url.partition("base64,")[2] for url in urls]
        content = "".join(part.get("text", "") for part in content)
    calls = [
        {"id": call.get("id"), "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message.get("tool_calls") or ()
    ]
    native = {"role": message.get("role"), "content": content}
    return {**native, **({"images": images} if images else {}), **({"tool_calls": calls} if calls else {})}


def _usage(last: Mapping[str, Any]) -> dict[str, int]:
    prompt, completion = last.get("prompt_eval_count", 0), last.get("eval_count", 0)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _delta(message: Mapping[str, Any]) -> dict[str, Any]:
    delta: dict[str, Any] = {"role": "assistant", "content": message.get("content", "")}
    if message.get("thinking"):
        delta["reasoning"] = message["thinking"]
    if message.get("tool_calls"):
        delta["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    return delta


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = json.dumps(function["arguments"], ensure_ascii=False, separators=(",", ":"))
    shown = {"name": function["name"], "arguments": arguments}
    return {"id": call.get("id", ""), "index": function.get("index", 0), "type": "function", "function": shown}


def completion_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A whole completion, from the merged object of the native side."""
    message = _delta(answer["message"])
    reason = "tool_calls" if message.get("tool_calls") else answer.get("done_reason", "stop")
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)}


def _head(answer: Mapping[str, Any], kind: str) -> dict[str, Any]:
    made = {"created": int(time.time()), "model": answer["model"], "system_fingerprint": "fp_ollama"}
    return {"id": "chatcmpl-1", "object": kind, **made}


async def chunks_of(
    objects: AsyncGenerator[dict[str, Any], None], *, usage: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """Completion chunks, from the objects of the native side."""
    called = False
    async with aclosing(objects):
        async for each in objects:
            delta = _delta(each["message"])
            called = called or "tool_calls" in delta
            reason = ("tool_calls" if called else each.get("done_reason", "stop")) if each["done"] else None
            head = _head(each, "chat.completion.chunk")
            yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            if each["done"] and usage:
                empty: Sequence[Any] = []
                yield {**head, "choices": empty, "usage": _usage(each)}
