"""Requests to the wire. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import FileRef, Image, Message, Role, Text, ToolDef
from mlo.requests import ChatRequest, EmbeddingRequest, JsonObject, JsonSchema, Sampling

from .config import ModelSettings, OllamaConfig
from .options import complaint
from .tool_choice import ForcedCall, forced_call

__all__ = ["ChatCall", "chat_call", "embed_body", "load_body", "model_options"]

_EXTRA = frozenset({"keep_alive", "logprobs", "options", "shift", "think", "top_logprobs", "truncate"})
_RENAMED = {"max_tokens": "num_predict", "repetition_penalty": "repeat_penalty"}
_SAMPLED = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
)


@frozen(kw_only=True)
class ChatCall:
    """A chat request as it goes over the wire, and what is needed to read its answer."""

    model: str
    body: dict[str, Any]
    num_ctx: int | None
    forced: ForcedCall | None = None


def chat_call(request: ChatRequest, config: OllamaConfig, *, stream: bool) -> ChatCall:
    """The body of ``POST /api/chat``.

    Raises:
        InvalidRequest: for options of the wrong type or that would reload the model, and for a request without a model.
        Unsupported: for what the API cannot express: files, images by URL, unknown extra fields.
    """
    model = request.model or config.model
    if not model:
        raise InvalidRequest("no model: name one in the target (instance:model) or as `model` of the instance")
    settings = config.of(model)
    options = _options(request, config, model)
    forced = _forced(request, config)
    body: dict[str, Any] = {
        "model": model,
        "messages": _messages(request, forced),
        "stream": stream,
        "options": options,
    }
    if forced is not None:
        body["format"] = dict(forced.schema)
    else:
        _add_format(body, request)
        if request.tools and (request.tool_choice is None or request.tool_choice.mode != "none"):
            body["tools"] = [_tool(tool) for tool in request.tools]
    think = _think(request, config, settings)
    if think is not None:
        body["think"] = think
    keep_alive = config.keep_alive if settings.keep_alive is None else settings.keep_alive
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    if config.overflow == "refuse":  # `shift` too: it lets the answer push the prompt out of the window
        body["truncate"] = body["shift"] = False
    for name, value in request.extra.items():
        if name not in _EXTRA:
            known = ", ".join(sorted(_EXTRA))
            raise Unsupported(f"extra field {name!r}: Ollama's chat has no such field (known are {known})")
        if name != "options":
            body[name] = value
    return ChatCall(model=model, body=body, num_ctx=options.get("num_ctx"), forced=forced)


def model_options(config: OllamaConfig, model: str) -> dict[str, Any]:
    """The options that every request to ``model`` carries, so that the loaded model can serve all of them."""
    settings = config.of(model)
    num_ctx = config.num_ctx if settings.num_ctx is None else settings.num_ctx
    window = {} if num_ctx is None else {"num_ctx": num_ctx}
    return {**window, **config.options, **settings.options}


def _options(request: ChatRequest, config: OllamaConfig, model: str) -> dict[str, Any]:
    options = model_options(config, model)
    options.update(_sampled(request.sampling))
    extra = request.extra.get("options")
    if extra:
        if not isinstance(extra, Mapping):
            raise InvalidRequest(f"extra.options must be a table, not {type(extra).__name__}")
        wrong = complaint(extra, strict=config.strict_options, per_call=True)
        if wrong:
            raise InvalidRequest(f"extra.options: {wrong}")
        options.update(extra)
    return options


def _sampled(sampling: Sampling) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _SAMPLED:
        value = getattr(sampling, name)
        if value is not None:
            found[_RENAMED.get(name, name)] = value
    if sampling.stop:
        found["stop"] = list(sampling.stop)
    return found


def _forced(request: ChatRequest, config: OllamaConfig) -> ForcedCall | None:
    forced = forced_call(request)
    if forced is not None and config.tool_choice == "refuse":
        raise Unsupported("Ollama cannot force a tool call, and tool_choice = 'refuse' forbids to emulate it")
    return forced


def _add_format(body: dict[str, Any], request: ChatRequest) -> None:
    match request.response_format:
        case JsonObject():
            body["format"] = "json"
        case JsonSchema(schema=schema):
            body["format"] = dict(schema)
        case _:
            pass


def _think(request: ChatRequest, config: OllamaConfig, settings: ModelSettings) -> bool | str | None:
    if request.reasoning is not None:
        return False if request.reasoning == "off" else request.reasoning
    return config.think if settings.think is None else settings.think


def _tool(tool: ToolDef) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _messages(request: ChatRequest, forced: ForcedCall | None) -> list[dict[str, Any]]:
    messages = [_message(message) for message in request.messages]
    if forced is not None:
        messages.insert(0, {"role": "system", "content": forced.instruction})
    return messages


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if not isinstance(message.content, str):
        images = [_image(part) for part in message.content if not isinstance(part, Text)]
        if images:
            wire["images"] = images
    if message.reasoning:
        wire["thinking"] = message.reasoning
    if message.tool_calls:
        wire["tool_calls"] = [_call(call.id, call.name, _arguments(call)) for call in message.tool_calls]
    if message.role is Role.TOOL:
        wire |= {
            name: value
            for name, value in (("tool_name", message.name), ("tool_call_id", message.tool_call_id))
            if value
        }
    return wire


def _call(call_id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"id": call_id, "function": {"name": name, "arguments": arguments}}


def _arguments(call: Any) -> dict[str, Any]:
    try:
        found: dict[str, Any] = call.parsed()
    except ValueError as error:
        raise InvalidRequest(f"Ollama takes arguments of tool calls as an object: {error}") from error
    return found


def _image(part: Image | FileRef | Text) -> str:
    if isinstance(part, Image):
        if part.data is not None:
            return base64.b64encode(part.data).decode("ascii")
        head, comma, data = (part.url or "").partition(",")
        if comma and head.startswith("data:") and head.endswith(";base64"):
            return data
        raise Unsupported("Ollama takes images as bytes, not by URL: download it and give Image(data=…)")
    raise Unsupported("Ollama has no uploaded files: put the text into the message, or images as Image(data=…)")


def embed_body(request: EmbeddingRequest, config: OllamaConfig) -> dict[str, Any]:
    """The body of ``POST /api/embed``.

    Raises:
        InvalidRequest: for a request without a model.
        Unsupported: for unknown extra fields.
    """
    model = request.model or config.embedding_model or config.model
    if not model:
        raise InvalidRequest(
            "no model: name one in the target (instance:model) or as `embedding_model` of the instance"
        )
    settings = config.of(model)
    body: dict[str, Any] = {"model": model, "input": list(request.texts), "truncate": config.overflow != "refuse"}
    options = {**config.options, **settings.options}
    if (
        settings.num_ctx is not None
    ):  # the instance's window is for chats; embedding models have small ones of their own
        options["num_ctx"] = settings.num_ctx
    if options:
        body["options"] = options
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    keep_alive = config.keep_alive if settings.keep_alive is None else settings.keep_alive
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    unknown = sorted(set(request.extra) - {"truncate", "keep_alive"})
    if unknown:
        raise Unsupported(f"extra field {unknown[0]!r}: Ollama's embeddings have no such field")
    return {**body, **request.extra}


def load_body(model: str, config: OllamaConfig, keep_alive: str | float | None) -> dict[str, Any]:
    """The body of ``POST /api/generate`` that loads a model, or with ``keep_alive`` 0 unloads it."""
    body: dict[str, Any] = {"model": model, "stream": False, "options": model_options(config, model)}
    if config.overflow == "refuse":  # part of what decides whether the loaded model can be used later
        body["shift"] = False
    return body if keep_alive is None else {**body, "keep_alive": keep_alive}
