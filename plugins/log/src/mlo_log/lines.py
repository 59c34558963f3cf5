"""From a record to what its line says: a pure function."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, get_args

import attrs

from mlo import records
from mlo.errors import AttemptsExhausted, ProtocolViolated, ProviderError
from mlo.events import ReasoningDelta, TextDelta
from mlo.messages import Message
from mlo.models import Money, Price, Residency
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse, Usage

from .config import Level, LogConfig

__all__ = ["KINDS", "described", "is_due", "level_of", "peeked", "wanted"]


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


KINDS: Mapping[type, str] = {kind: _snake(kind.__name__) for kind in get_args(records.Record)}
_ORDER: tuple[Level, ...] = get_args(Level)
_HIGHEST: Mapping[str, Level] = {
    "attempt_failed": "warning",
    "call_finished": "error",
    "breaker_changed": "warning",
    "config_reloaded": "info",
}


# in a line, `event` is the name of the record, and `request_id` what the caller calls the request
_RENAMED = {"event": "content", "request_id": "vendor_request_id"}
_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "tool_tokens", "total_tokens")
# values that go without saying
_USUAL: Mapping[str, object] = {
    "reached": True,
    "queued": 0.0,
    "characters": 0,
    "depth": 0,
    "plugin": "",
    "provider": "",
}


def level_of(record: records.Record) -> Level:
    """How much a record matters: failures are warnings, calls that end in an error are errors."""
    match record:
        case records.CallFinished(status="error"):
            return "error"
        case records.AttemptFailed(cancelled=False) | records.BreakerChanged(state="open"):
            return "warning"
        case records.CallFinished() | records.BreakerChanged() | records.ConfigReloaded():
            return "info"
        case _:
            return "debug"


def wanted(config: LogConfig) -> frozenset[type[records.Record]]:
    """The record types that can come to a line. Single events of streams only when they are named."""
    if config.records is not None:
        return frozenset(kind for kind, name in KINDS.items() if name in config.records)
    lowest = _ORDER.index(config.level)
    return frozenset(
        kind
        for kind, name in KINDS.items()
        if kind is not records.EventSeen and _ORDER.index(_HIGHEST.get(name, "debug")) >= lowest
    )


def peeked(config: LogConfig) -> frozenset[type[records.Record]]:
    """Further ones that no line is made of, but that tell about others: ids, and what went wrong."""
    ids: frozenset[type[records.Record]] = frozenset(
        {records.CallStarted, records.AttemptFinished, records.CallFinished}
    )
    return ids | {records.AttemptFailed} if config.sample < 1 else ids


def is_due(record: records.Record, config: LogConfig) -> bool:
    """Whether this very record is to be written."""
    return config.records is not None or _ORDER.index(level_of(record)) >= _ORDER.index(config.level)


def described(record: records.Record) -> dict[str, Any]:
    """The fields of a record that say something, as values that JSON knows."""
    said: dict[str, Any] = {}
    for attribute in attrs.fields(type(record)):
        value = getattr(record, attribute.name)
        name = attribute.name
        if value is None or value == {} or (name in _USUAL and value == _USUAL[name]):
            continue
        if value is False and name != "reached":
            continue
        if isinstance(value, Usage):
            said |= _usage(value)
        elif isinstance(value, Residency):
            said |= _residency(value)
        elif isinstance(value, Price):
            said[name] = {key: item for key, item in attrs.asdict(value).items() if item is not None}
        else:
            said[_RENAMED.get(name, name)] = _plain(value)
    return said


def _plain(value: Any) -> Any:
    match value:
        case float():
            return round(value, 6) if math.isfinite(value) else str(value)  # JSON has no word for the others
        case BaseException():
            return _error(value)
        case ChatRequest():
            return {"messages": [_message(message) for message in value.messages], "model": value.model}
        case EmbeddingRequest():
            return {"texts": list(value.texts), "model": value.model}
        case ChatResponse():
            return _message(value.message)
        case TextDelta() | ReasoningDelta():
            return value.text
        case tuple() | list():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case bool() | int() | str() | None:
            return value
        case _:
            return type(value).__name__


def _message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": str(message.role), "text": message.text}
    if message.tool_calls:
        said["tool_calls"] = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return said


def _usage(usage: Usage) -> dict[str, Any]:
    """The counts that are known; a field that is missing is unknown, not zero."""
    said = {name: getattr(usage, name) for name in _COUNTS if getattr(usage, name) is not None}
    if said and usage.source != "vendor":
        said["usage_source"] = usage.source
    return said | (_money(usage.cost) if usage.cost is not None else {})


def _residency(residency: Residency) -> dict[str, Any]:
    """What is known of where prompts go."""
    known = {name: value for name, value in attrs.asdict(residency).items() if value is not None}
    return {"residency": known} if known else {}


def _money(cost: Money) -> dict[str, Any]:
    return {"cost": str(cost).partition(" ")[0], "currency": cost.currency}


def _error(error: BaseException) -> dict[str, Any]:
    said: dict[str, Any] = {"type": type(error).__name__, "message": _text(error)}
    if isinstance(error, ProviderError):
        known = {name: getattr(error, name) for name in ("status", "code", "request_id", "retry_after")}
        said |= {name: value for name, value in known.items() if value is not None}
    if error.__cause__ is not None:
        said["cause"] = f"{type(error.__cause__).__name__}: {_text(error.__cause__)}"
    return said


def _text(error: BaseException) -> str:
    """The message; some errors cannot even be shown, and the log is the last place to fail because of that.

    A piece of an answer that an error quotes is content, and left out.
    """
    try:
        text = str(error)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return "(its message cannot be shown)"
    for sample in _samples(error):
        text = text.replace(f": {sample!r}", "")
    return text


def _samples(error: BaseException) -> list[str]:
    if isinstance(error, ProtocolViolated):
        return [error.sample] if error.sample else []
    if isinstance(error, AttemptsExhausted):
        return [sample for outcome in error.outcomes if outcome.error for sample in _samples(outcome.error)]
    return []
