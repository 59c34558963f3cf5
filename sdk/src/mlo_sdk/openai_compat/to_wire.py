"""Requests as the server wants them. Pure."""

from __future__ import annotations

import base64
from typing import Any

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import FileRef, Image, Message, Part, Role, Text, ToolCall, ToolChoice, ToolDef
from mlo.requests import ChatRequest, EmbeddingRequest, JsonObject, JsonSchema, ResponseFormat, Sampling

from .dialect import Dialect
from .wire import Wire

__all__ = ["chat_to_wire", "embedding_to_wire", "message_to_wire", "tool_to_wire"]

_OURS = frozenset({"messages", "stream"})


def chat_to_wire(request: ChatRequest, model: str, dialect: Dialect, *, stream: bool = False) -> Wire:
    """The body of a chat request.

    Raises:
        Unsupported: for what the dialect has no word for.
        InvalidRequest: when ``extra`` would change the conversation or the way of answering.
    """
    if taken := _OURS & request.extra.keys():
        raise InvalidRequest(f"extra must not hold {', '.join(sorted(taken))}")
    wire: Wire = {
        **dialect.extra,
        "model": model,
        "messages": [message_to_wire(message, dialect) for message in request.messages],
    }
    if request.tools:
        wire["tools"] = [tool_to_wire(tool) for tool in request.tools]
    if request.tool_choice is not None:
        wire["tool_choice"] = _tool_choice(request.tool_choice, dialect)
    wire |= _response_format(request.response_format, dialect)
    wire |= _sampling(request.sampling, dialect)
    if request.reasoning is not None:
        wire |= _reasoning(request.reasoning, dialect)
    if stream:
        wire["stream"] = True
        if dialect.stream_usage:
            wire["stream_options"] = {"include_usage": True}
    return wire | dict(request.extra)


def message_to_wire(message: Message, dialect: Dialect) -> Wire:
    """One message.

    Raises:
        Unsupported: for images or files that the dialect does not take.
    """
    wire: Wire = {"role": message.role.value, "content": _content(message, dialect)}
    if message.role is Role.TOOL:
        wire["tool_call_id"] = message.tool_call_id or ""
    elif message.name is not None:
        wire["name"] = message.name
    if message.tool_calls:
        wire["tool_calls"] = [_call(call) for call in message.tool_calls]
    if dialect.reasoning_history and message.reasoning:
        wire[dialect.reasoning_history] = message.reasoning
    return wire


def tool_to_wire(tool: ToolDef) -> Wire:
    """A tool definition."""
    function: Wire = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def embedding_to_wire(request: EmbeddingRequest, texts: tuple[str, ...], model: str) -> Wire:
    """The body of an embedding request for some of the texts."""
    wire: Wire = {"model": model, "input": list(texts)}
    if request.dimensions is not None:
        wire["dimensions"] = request.dimensions
    return wire | dict(request.extra)


def _content(message: Message, dialect: Dialect) -> str | list[Wire]:
    if isinstance(message.content, str):
        return message.content
    if all(isinstance(part, Text) for part in message.content):
        return message.text  # many servers take parts for the user's messages only
    return [_part(part, dialect) for part in message.content]


def _part(part: Part, dialect: Dialect) -> Wire:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Image):
        if not dialect.images:
            raise Unsupported("this server takes no images")
        return {"type": "image_url", "image_url": _image(part)}
    return _file(part, dialect)


def _image(image: Image) -> Wire:
    url = image.url
    if image.data is not None:
        url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
    return {"url": url} if image.detail == "auto" else {"url": url, "detail": image.detail}


def _file(file: FileRef, dialect: Dialect) -> Wire:
    if not dialect.files:
        raise Unsupported("this server takes no references to files")
    return {"type": "file", "file": {"file_id": file.id}}


def _call(call: ToolCall) -> Wire:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _tool_choice(choice: ToolChoice, dialect: Dialect) -> str | Wire:
    if choice.mode not in dialect.tool_choices:
        raise Unsupported(
            f"this server has no tool choice {choice.mode!r}, only {', '.join(sorted(dialect.tool_choices))}"
        )
    if choice.mode == "named":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def _response_format(wanted: ResponseFormat, dialect: Dialect) -> Wire:
    if isinstance(wanted, JsonObject):
        if not dialect.json_object:
            raise Unsupported("this server cannot be asked for a JSON object")
        return {"response_format": {"type": "json_object"}}
    if not isinstance(wanted, JsonSchema):
        return {}
    schema: dict[str, Any] = dict(wanted.schema)
    if dialect.json_schema == "none":
        raise Unsupported("this server cannot be asked for JSON of a schema")
    if dialect.json_schema == "llama-cpp":
        return {"response_format": {"type": "json_object", "schema": schema}}
    if dialect.json_schema == "tgi":
        return {"response_format": {"type": "json_object", "value": schema}}
    named = {"name": wanted.name, "schema": schema, "strict": wanted.strict}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _sampling(sampling: Sampling, dialect: Dialect) -> Wire:
    wire: Wire = {}
    for name in Sampling.__attrs_attrs__:
        value = getattr(sampling, name.name)
        if value is None or value == ():
            continue
        if name.name not in dialect.sampling:
            raise Unsupported(f"this server has no {name.name}")
        wire[dialect.sampling[name.name]] = list(value) if isinstance(value, tuple) else value
    return wire


def _reasoning(level: str, dialect: Dialect) -> Wire:
    if level in dialect.reasoning:
        return dict(dialect.reasoning[level])
    if level == "off":
        return {}
    raise Unsupported(f"this server cannot be asked for {level} reasoning effort")
