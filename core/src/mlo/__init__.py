"""One interface to GigaChat, YandexGPT, local models and every OpenAI-compatible server.

Importing this package loads nothing: each public name is imported from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .blocking import BlockingRouter as BlockingRouter
    from .errors import ConfigError as ConfigError
    from .errors import MloError as MloError
    from .errors import ProviderError as ProviderError
    from .hookspecs import hookimpl as hookimpl
    from .messages import FileRef as FileRef
    from .messages import Image as Image
    from .messages import Message as Message
    from .messages import Role as Role
    from .messages import Text as Text
    from .messages import ToolCall as ToolCall
    from .messages import ToolChoice as ToolChoice
    from .messages import ToolDef as ToolDef
    from .models import Capability as Capability
    from .models import ModelInfo as ModelInfo
    from .requests import ChatRequest as ChatRequest
    from .requests import EmbeddingRequest as EmbeddingRequest
    from .requests import JsonObject as JsonObject
    from .requests import JsonSchema as JsonSchema
    from .requests import Sampling as Sampling
    from .responses import ChatResponse as ChatResponse
    from .responses import Embeddings as Embeddings
    from .responses import FinishReason as FinishReason
    from .responses import Usage as Usage
    from .router import Router as Router
    from .secret import Secret as Secret
    from .stream import Stream as Stream

_HOMES = {
    "BlockingRouter": "blocking",
    "Capability": "models",
    "ChatRequest": "requests",
    "ChatResponse": "responses",
    "ConfigError": "errors",
    "EmbeddingRequest": "requests",
    "Embeddings": "responses",
    "FileRef": "messages",
    "FinishReason": "responses",
    "Image": "messages",
    "JsonObject": "requests",
    "JsonSchema": "requests",
    "Message": "messages",
    "MloError": "errors",
    "ModelInfo": "models",
    "ProviderError": "errors",
    "Role": "messages",
    "Router": "router",
    "Sampling": "requests",
    "Secret": "secret",
    "Stream": "stream",
    "Text": "messages",
    "ToolCall": "messages",
    "ToolChoice": "messages",
    "ToolDef": "messages",
    "Usage": "responses",
    "hookimpl": "hookspecs",
}

__all__ = [
    "BlockingRouter",
    "Capability",
    "ChatRequest",
    "ChatResponse",
    "ConfigError",
    "EmbeddingRequest",
    "Embeddings",
    "FileRef",
    "FinishReason",
    "Image",
    "JsonObject",
    "JsonSchema",
    "Message",
    "MloError",
    "ModelInfo",
    "ProviderError",
    "Role",
    "Router",
    "Sampling",
    "Secret",
    "Stream",
    "Text",
    "ToolCall",
    "ToolChoice",
    "ToolDef",
    "Usage",
    "hookimpl",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415 - loaded by the interpreter anyway, but not by us at import time

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
