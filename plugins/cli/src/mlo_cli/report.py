"""An answer as data for programs, and as one line of figures for people. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from mlo.errors import MloError, ProviderError
from mlo.events import Event, Finished
from mlo.models import Money

from .texts import text

if TYPE_CHECKING:
    from mlo import ChatResponse, Usage
    from mlo.routing import Outcome

__all__ = ["amount", "error_object", "event_object", "footer", "response_object", "usage_object"]


def response_object(response: ChatResponse) -> dict[str, Any]:
    """The whole answer; what nobody knows is ``None``. Times are seconds."""
    call = response.call
    return {
        "text": response.text,
        "reasoning": response.message.reasoning,
        "tool_calls": [attrs.asdict(call) for call in response.tool_calls],
        "finish_reason": str(response.finish_reason),
        "model": response.model,
        "target": call and call.target,
        "route": call and call.route,
        "usage": usage_object(response.usage),
        "attempts": [_attempt_object(outcome) for outcome in call.attempts] if call else [],
        "duration": call and round(call.duration, 6),
        "call_id": call and call.call_id,
        "response_id": response.response_id,
        "request_id": response.request_id,
    }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Token counts, and the cost as an exact decimal."""
    cost = usage.cost and {"amount": amount(usage.cost), "currency": usage.cost.currency}
    return {**attrs.asdict(usage, recurse=False), "cost": cost}


def _attempt_object(outcome: Outcome) -> dict[str, Any]:
    return {
        "target": outcome.target.name,
        "latency": round(outcome.latency, 6),
        "first_event": None if outcome.first_event is None else round(outcome.first_event, 6),
        "error": None if outcome.error is None else error_object(outcome.error),
    }


def error_object(error: Exception) -> dict[str, Any]:
    """An error: its class and message, and what a vendor said about it."""
    found: dict[str, Any] = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, ProviderError):
        found |= {"target": error.target, "status": error.status, "code": error.code, "request_id": error.request_id}
    if isinstance(error, MloError) and (partial := getattr(error, "partial", None)) is not None:
        found["partial"] = partial.text
    return found


def event_object(event: Event) -> dict[str, Any]:
    """One event of a stream: ``{"event": "TextDelta", "text": …}``. A vendor's raw data stays out."""
    values: Mapping[str, Any] = attrs.asdict(event, recurse=False)
    if isinstance(event, Finished):
        values = {"reason": str(event.reason)}
    elif "usage" in values:
        values = {"usage": usage_object(values["usage"])}
    return {"event": type(event).__name__, **values}


def amount(money: Money) -> str:
    """An exact decimal with two digits at least: ``0.00``, ``12.345``."""
    number, _, _ = str(money).partition(" ")
    whole, _, fraction = number.partition(".")
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def footer(response: ChatResponse) -> str:
    """Who answered, at what expense, in one line; what nobody knows is left out."""
    call, usage = response.call, response.usage
    pieces = [response.model or ""]
    if call is not None:
        pieces.insert(0, call.target)
        pieces.append(text("footer.seconds", seconds=f"{call.duration:.2f}"))
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        key = "footer.tokens" if usage.source == "vendor" else "footer.tokens_estimated"
        pieces.append(text(key, prompt=usage.prompt_tokens, completion=usage.completion_tokens))
    if usage.cached_tokens:
        pieces.append(text("footer.cached", cached=usage.cached_tokens))
    if usage.cost is not None:
        pieces.append(f"{amount(usage.cost)} {usage.cost.currency}")
    failed = [outcome for outcome in call.attempts if outcome.error is not None] if call else []
    if failed:
        names = ", ".join(f"{outcome.target.name} ({type(outcome.error).__name__})" for outcome in failed)
        pieces.append(text("footer.after", failed=names))
    return " · ".join(piece for piece in pieces if piece)
