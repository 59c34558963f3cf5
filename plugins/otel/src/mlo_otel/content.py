"""Prompts and answers in the shape of the conventions. Used only where two settings ask for content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mlo.messages import FileRef, Image, Message, Role, Text
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse
from mlo.routing import Request

from .semconv import Gen

__all__ = ["answered", "as_text", "asked"]


def asked(request: Request | None) -> dict[str, Any]:
    """What was sent: messages, instructions, tools."""
    if not isinstance(request, ChatRequest):
        return {}  # the conventions know no content of embeddings
    system = [part for message in request.messages if message.role is Role.SYSTEM for part in _parts(message)]
    said: dict[str, Any] = {
        Gen.INPUT_MESSAGES: [_message(message) for message in request.messages if message.role is not Role.SYSTEM]
    }
    if system:
        said[Gen.SYSTEM] = system
    if request.tools:
        said[Gen.TOOLS] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": _copied(tool.parameters),
            }
            for tool in request.tools
        ]
    return said


def answered(response: ChatResponse | None) -> dict[str, Any]:
    """What came back."""
    if response is None:
        return {}
    return {Gen.OUTPUT_MESSAGES: [_message(response.message) | {"finish_reason": str(response.finish_reason)}]}


def as_text(content: Mapping[str, Any]) -> dict[str, str]:
    """The same for a span, whose attributes hold no structures."""
    return {name: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for name, value in content.items()}


def _message(message: Message) -> dict[str, Any]:
    return {"role": str(message.role), "parts": _parts(message)}


def _parts(message: Message) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        return [{"type": "tool_call_response", "id": message.tool_call_id, "response": message.text}]
    parts: list[dict[str, Any]] = []
    if message.reasoning:
        parts.append({"type": "reasoning", "content": message.reasoning})
    parts += [_part(part) for part in message.parts]
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": _arguments(call.arguments)}
        for call in message.tool_calls
    ]
    return parts


def _part(part: Text | Image | FileRef) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "content": part.text}
        case Image(url=str() as url):
            return {"type": "uri", "modality": "image", "uri": url}
        case Image():  # the bytes themselves would burst a span
            return {"type": "blob", "modality": "image", "mime_type": part.media_type, "content": ""}
        case FileRef():
            return {"type": "file", "file_id": part.id}


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # models write what they like
        return text


def _copied(value: Any) -> Any:
    """Plain dictionaries and lists: the exporter knows no others."""
    if isinstance(value, Mapping):
        return {str(key): _copied(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_copied(item) for item in value]
    return value
