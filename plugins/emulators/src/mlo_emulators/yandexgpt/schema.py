"""Requests as protobuf's JSON mapping reads them: camelCase or snake_case, numbers as text, no unknown fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .failures import bad_request

__all__ = ["COMPLETION", "EMBEDDING", "FEW_SHOT", "TEXT_REQUEST", "read"]

Check: TypeAlias = Callable[[Any, str], Any]


def _wrong(where: str, value: object) -> Exception:
    return bad_request(f"proto: invalid value for {where}: {str(value)[:60]}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, value)
    return value


def _bool(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(where, value)
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(where, value)
    return float(value)


def _int(value: Any, where: str) -> int:
    if isinstance(value, bool):
        raise _wrong(where, value)
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _wrong(where, value)


def _struct(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, value)
    return value


def _enum(*names: str) -> Check:
    def check(value: Any, where: str) -> str:
        if value not in names:
            raise _wrong(where, value)
        return str(value)

    return check


def _list(item: Check) -> Check:
    def check(value: Any, where: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(where, value)
        return [item(each, f"{where}[{index}]") for index, each in enumerate(value)]

    return check


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _message(fields: Mapping[str, Check], *oneofs: frozenset[str]) -> Check:
    def check(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(where or "the request", value)
        found: dict[str, Any] = {}
        for name, item in value.items():
            field = name if name in fields else _camel(name)
            if field not in fields:
                raise bad_request(f'proto: unknown field "{name}"' + (f" in {where}" if where else ""))
            if item is not None:
                found[field] = fields[field](item, f"{where}.{field}" if where else field)
        for names in oneofs:
            if len(names & found.keys()) > 1:
                raise bad_request(
                    f"proto: only one of {', '.join(sorted(names))} may be set in {where or 'the request'}"
                )
        return found

    return check


_FUNCTION_CALL = _message({"name": _text, "arguments": _struct})
_FUNCTION_RESULT = _message({"name": _text, "content": _text})
_CALLS = _message({"toolCalls": _list(_message({"functionCall": _FUNCTION_CALL}))})
_RESULTS = _message({"toolResults": _list(_message({"functionResult": _FUNCTION_RESULT}))})
_CHAT_MESSAGE = _message(
    {"role": _enum("system", "assistant", "user"), "text": _text, "toolCallList": _CALLS, "toolResultList": _RESULTS},
    frozenset({"text", "toolCallList", "toolResultList"}),
)
_REASONING = _message({"mode": _enum("REASONING_MODE_UNSPECIFIED", "DISABLED", "ENABLED_HIDDEN")})
_COMPLETION_OPTIONS = _message(
    {"stream": _bool, "temperature": _number, "maxTokens": _int, "reasoningOptions": _REASONING}
)
_FUNCTION = _message({"name": _text, "description": _text, "parameters": _struct, "strict": _bool})
_CHOICE = _message(
    {"mode": _enum("TOOL_CHOICE_MODE_UNSPECIFIED", "NONE", "AUTO", "REQUIRED"), "functionName": _text},
    frozenset({"mode", "functionName"}),
)

COMPLETION = _message(
    {
        "modelUri": _text,
        "completionOptions": _COMPLETION_OPTIONS,
        "messages": _list(_CHAT_MESSAGE),
        "tools": _list(_message({"function": _FUNCTION})),
        "jsonObject": _bool,
        "jsonSchema": _message({"schema": _struct}),
        "parallelToolCalls": _bool,
        "toolChoice": _CHOICE,
    },
    frozenset({"jsonObject", "jsonSchema"}),
)
TEXT_REQUEST = _message({"modelUri": _text, "text": _text})
EMBEDDING = _message({"modelUri": _text, "text": _text, "dim": _int})
FEW_SHOT = _message(
    {
        "modelUri": _text,
        "taskDescription": _text,
        "labels": _list(_text),
        "text": _text,
        "samples": _list(_message({"text": _text, "label": _text})),
    }
)


def read(shape: Check, body: Any) -> dict[str, Any]:
    """``body`` in camelCase with real numbers.

    Raises:
        Failure: INVALID_ARGUMENT, with the path to what is wrong.
    """
    found: dict[str, Any] = shape(body, "")
    return found
