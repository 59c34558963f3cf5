"""The wire of OpenAI-compatible servers: mapping, and a provider configured by a :class:`Dialect`."""

from __future__ import annotations

from .chunks import ChunkReader
from .dialect import Dialect
from .from_wire import embeddings_of, finish_reason, models_of, response_of, usage_of
from .provider import OpenAICompatProvider
from .to_wire import chat_to_wire, message_to_wire, tool_to_wire

__all__ = [
    "ChunkReader",
    "Dialect",
    "OpenAICompatProvider",
    "chat_to_wire",
    "embeddings_of",
    "finish_reason",
    "message_to_wire",
    "models_of",
    "response_of",
    "tool_to_wire",
    "usage_of",
]
