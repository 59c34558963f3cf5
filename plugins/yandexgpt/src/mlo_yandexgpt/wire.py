"""The native API's answers as they come: tolerant of new fields, strict where a number or a text is needed.

Numbers are strings (``int64`` in protobuf's JSON), zeros and whole objects may be absent or ``null``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlo.errors import ProtocolViolated
from mlo.models import Money, Price
from mlo.responses import FinishReason, Usage

__all__ = ["Frame", "number", "read_frame", "read_usage", "unwrapped"]

_SAMPLE = 200
_PARTIAL = frozenset({"", "ALTERNATIVE_STATUS_PARTIAL", "ALTERNATIVE_STATUS_UNSPECIFIED"})
_REASONS = {
    "ALTERNATIVE_STATUS_FINAL": FinishReason.STOP,
    "ALTERNATIVE_STATUS_TRUNCATED_FINAL": FinishReason.LENGTH,
    "ALTERNATIVE_STATUS_CONTENT_FILTER": FinishReason.CONTENT_FILTER,
    "ALTERNATIVE_STATUS_TOOL_CALLS": FinishReason.TOOL_CALLS,
}


class Frame(NamedTuple):
    """A CompletionResponse. ``reason`` is ``None`` while there is more to come.

    ``calls`` are the FunctionCall objects as they are on the wire.
    """

    text: str
    calls: tuple[dict[str, Any], ...]
    status: str
    reason: FinishReason | None
    usage: Usage | None
    version: str


def unwrapped(document: dict[str, Any]) -> dict[str, Any]:
    """A message without the ``result`` that surrounds it where the method streams."""
    result = document.get("result", document)
    if not isinstance(result, dict):
        raise _violated("`result` is not an object", document)
    return result


def read_frame(document: dict[str, Any], price: Price | None = None) -> Frame:
    """Read one message of the completion method; ``price`` is the model's.

    Raises:
        ProtocolViolated: when there is no alternative in it, or something is not of its type.
    """
    result = unwrapped(document)
    try:
        alternative = result["alternatives"][0]
        message = alternative.get("message") or {}
        status = alternative.get("status") or ""
        text = message.get("text") or ""
        listed = message.get("toolCallList")
        calls = tuple(each["functionCall"] for each in listed["toolCalls"]) if listed else ()
    except (LookupError, TypeError, AttributeError) as error:
        raise _violated("an answer without a readable alternative", document) from error
    if not isinstance(text, str) or not isinstance(status, str) or not all(isinstance(call, dict) for call in calls):
        raise _violated("text or status is not a string, or a call not an object", document)
    reason = None if status in _PARTIAL else _REASONS.get(status, FinishReason.OTHER)
    return Frame(text, calls, status, reason, read_usage(result.get("usage"), price), result.get("modelVersion") or "")


def read_usage(usage: Any, price: Price | None = None) -> Usage | None:
    """Token counts, with what they cost where tokens and price are known.

    ``completionTokens`` includes the hidden reasoning, as the common convention wants it.
    """
    if not usage:
        return None
    if not isinstance(usage, dict):
        raise _violated("`usage` is not an object", {"usage": usage})
    prompt = number(usage.get("inputTextTokens"))
    completion = number(usage.get("completionTokens"))
    details = usage.get("completionTokensDetails")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=number(usage.get("totalTokens")),
        reasoning_tokens=number(details.get("reasoningTokens")) if isinstance(details, dict) else None,
        cost=_cost(price, prompt, completion),
    )


def _cost(price: Price | None, prompt: int | None, completion: int | None) -> Money | None:
    if price is None or prompt is None or completion is None:
        return None
    return price.cost(prompt=prompt, completion=completion)


def number(value: Any) -> int | None:
    """An int64, as a string or as a number; ``None`` when it is not there.

    Raises:
        ProtocolViolated: when it is something else.
    """
    if value is None:
        return None
    if isinstance(value, float) and not value.is_integer():  # infinity, too
        raise _violated("a count is not a whole number", {"value": value})
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise _violated("a count is not a number", {"value": value}) from error


def _violated(message: str, document: dict[str, Any]) -> ProtocolViolated:
    return ProtocolViolated(message, sample=str(document)[:_SAMPLE])
