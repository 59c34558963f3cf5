"""Answers in the kernel's words. Pure, and tolerant of fields that are missing, new or oddly typed."""

from __future__ import annotations

import base64
import binascii
from array import array
from collections.abc import Mapping, Sequence
from sys import byteorder
from typing import Any
from uuid import uuid4

from mlo.errors import ProtocolViolated
from mlo.messages import Message, Role, ToolCall
from mlo.models import ModelInfo
from mlo.responses import ChatResponse, Embeddings, FinishReason, Usage

from .dialect import Dialect
from .wire import json_text, list_of_mappings, mapping, number, text, text_of_content

__all__ = [
    "REASONING_FIELDS",
    "call_id_of",
    "embeddings_of",
    "finish_reason",
    "models_of",
    "raw_of",
    "response_of",
    "usage_of",
]

REASONING_FIELDS = ("reasoning_content", "reasoning")
"""Where servers put the model's thinking: the first is DeepSeek's and vLLM's, the second OpenRouter's and Ollama's."""

_REASONS = {
    "stop": FinishReason.STOP,
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}
_COMMON = frozenset({"id", "object", "created", "model", "choices", "usage"})


def response_of(answer: Mapping[str, Any], dialect: Dialect, request_id: str | None = None) -> ChatResponse:
    """The answer of a chat completion.

    Raises:
        ProtocolViolated: when it has no choice with a message.
    """
    choice = next(list_of_mappings(answer, "choices"), None)
    if choice is None or not isinstance(choice.get("message"), dict):
        raise ProtocolViolated("the answer has no choices", sample=json_text(dict(answer))[:200], request_id=request_id)
    message = choice["message"]
    calls = tuple(_call(call, dialect) for call in list_of_mappings(message, "tool_calls"))
    refusal = text(message, "refusal")
    return ChatResponse(
        message=Message(
            role=Role.ASSISTANT,
            content=text_of_content(message.get("content")) or refusal or "",
            tool_calls=calls,
            reasoning=text(message, *REASONING_FIELDS),
        ),
        finish_reason=finish_reason(choice.get("finish_reason"), called=bool(calls), refused=refusal is not None),
        usage=usage_of(answer),
        model=text(answer, "model"),
        response_id=text(answer, "id"),
        request_id=request_id,
        raw=raw_of(answer, choice.get("finish_reason")),
    )


def finish_reason(value: object, *, called: bool = False, refused: bool = False) -> FinishReason:
    """Why the model stopped; a server that says ``stop`` after tool calls means these."""
    if refused:
        return FinishReason.CONTENT_FILTER
    reason = _REASONS.get(value, FinishReason.OTHER) if isinstance(value, str) else FinishReason.OTHER
    return FinishReason.TOOL_CALLS if called and reason is FinishReason.STOP else reason


def usage_of(answer: Mapping[str, Any]) -> Usage:
    """Token counts; ``None`` for what the server does not say."""
    usage = mapping(answer, "usage")
    if not usage:
        return Usage()
    return Usage(
        prompt_tokens=number(usage, "prompt_tokens", "input_tokens"),
        completion_tokens=number(usage, "completion_tokens", "output_tokens"),
        cached_tokens=_first(
            number(mapping(usage, "prompt_tokens_details"), "cached_tokens"),
            number(usage, "prompt_cache_hit_tokens", "cached_tokens"),
        ),
        reasoning_tokens=_first(
            number(mapping(usage, "completion_tokens_details"), "reasoning_tokens"), number(usage, "reasoning_tokens")
        ),
        total_tokens=number(usage, "total_tokens"),
    )


def raw_of(answer: Mapping[str, Any], reason: object) -> dict[str, Any]:
    """What the server says beyond the common ground, and its own word for the finish reason."""
    raw = {key: value for key, value in answer.items() if key not in _COMMON and value is not None}
    if reason is not None:
        raw["finish_reason"] = reason
    return raw


def embeddings_of(answers: Sequence[Mapping[str, Any]], count: int, request_id: str | None = None) -> Embeddings:
    """One vector for each of ``count`` texts, from one answer or several in a row.

    Raises:
        ProtocolViolated: when vectors are missing, empty or of different lengths.
    """
    vectors = [vector for answer in answers for vector in _vectors(answer)]
    if len(vectors) != count or len({len(vector) for vector in vectors}) > 1 or not all(vectors):
        raise ProtocolViolated(
            f"expected {count} embeddings of one length, got {len(vectors)} of {sorted({len(v) for v in vectors})}",
            request_id=request_id,
        )
    usages = [usage_of(answer) for answer in answers]
    return Embeddings(
        vectors=tuple(vectors),
        usage=Usage(
            prompt_tokens=_sum([usage.prompt_tokens for usage in usages]),
            total_tokens=_sum([usage.total_tokens for usage in usages]),
        ),
        model=text(answers[0], "model") if answers else None,
        request_id=request_id,
    )


def models_of(answer: Mapping[str, Any], provider: str = "") -> tuple[ModelInfo, ...]:
    """The models of a model list, in the server's order."""
    return tuple(
        ModelInfo(
            id=name,
            provider=provider,
            owned_by=text(model, "owned_by"),
            context_tokens=number(model, "max_model_len", "context_length", "context_window"),
        )
        for model in list_of_mappings(answer, "data")
        if (name := text(model, "id")) is not None
    )


def call_id_of(theirs: str | None, dialect: Dialect) -> str:
    """The id of a tool call: the server's, or a new one that no other turn of the conversation has."""
    return f"call_{uuid4().hex}" if theirs is None or dialect.unique_call_ids else theirs


def _call(call: Mapping[str, Any], dialect: Dialect) -> ToolCall:
    function = mapping(call, "function")
    return ToolCall(
        id=call_id_of(text(call, "id"), dialect),
        name=text(function, "name") or "",
        arguments=json_text(function.get("arguments")) or "{}",
    )


def _vectors(answer: Mapping[str, Any]) -> list[tuple[float, ...]]:
    items = sorted(list_of_mappings(answer, "data"), key=lambda item: number(item, "index") or 0)
    return [_vector(item.get("embedding")) for item in items]


def _vector(value: object) -> tuple[float, ...]:
    try:
        if isinstance(value, str):  # encoding_format "base64": little-endian 32-bit floats
            floats = array("f", base64.b64decode(value, validate=True))
            if byteorder == "big":
                floats.byteswap()
            return tuple(floats)
        if isinstance(value, list):
            return tuple(float(number) for number in value)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ProtocolViolated("an embedding is not a list of numbers", sample=repr(value)[:80]) from error
    raise ProtocolViolated("an embedding is not a list of numbers", sample=repr(value)[:80])


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)
