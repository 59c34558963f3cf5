"""Checks of request bodies, in the order and in the words of the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .wire import Refused

__all__ = ["body_of", "keep_alive_of", "options_of", "text_of"]

_RUNNER_INTEGERS = frozenset({"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread"})
_INTEGERS = _RUNNER_INTEGERS | {"num_keep", "seed", "num_predict", "top_k", "repeat_last_n"}
_FLOATS = frozenset(
    {"top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty"}
)
_BOOLEANS = frozenset({"use_mmap", "numa"})
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FOREVER = float("inf")


def body_of(raw: bytes) -> dict[str, Any]:
    """The body as an object.

    Raises:
        Refused: 400, when it is missing or not an object.
    """
    if not raw.strip():
        raise Refused(400, "missing request body")
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise Refused(400, f"invalid character in JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused(400, f"json: cannot unmarshal {_go_kind(value)} into Go value of type api.ChatRequest")
    return value


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A text field; empty if it is missing or null.

    Raises:
        Refused: 400, when it is something else.
    """
    value = body.get(name) or ""
    if not isinstance(value, str):
        raise Refused(400, f"json: cannot unmarshal {_go_kind(value)} into Go struct field .{name} of type string")
    return value


def options_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The options. Unknown ones are ignored, as the server does.

    Raises:
        Refused: 400 when they are no object, 500 when one has the wrong type.
    """
    options = body.get("options") or {}
    if not isinstance(options, dict):
        raise Refused(
            400, "json: cannot unmarshal options into Go struct field .options of type map[string]interface {}"
        )
    for name, value in options.items():
        if value is not None:
            _check_option(name, value)
    return {name: value for name, value in options.items() if value is not None}


def _check_option(name: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    wanted = ""
    if name in _INTEGERS and not (number and float(value).is_integer()):
        wanted = "integer"
    elif name in _FLOATS and not number:
        wanted = "float32"
    elif name in _BOOLEANS and not isinstance(value, bool):
        wanted = "boolean"
    elif name == "stop" and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        wanted = "of strings"
    if wanted:
        raise Refused(
            500,
            f'option "{name}" must be of type {wanted}'
            if wanted != "of strings"
            else f'option "{name}" must be an array {wanted}',
        )


def keep_alive_of(body: Mapping[str, Any], default: float) -> float:
    """Seconds that the model stays loaded; negative numbers mean for ever.

    Raises:
        Refused: 400, when it is not a duration.
    """
    value = body.get("keep_alive")
    if value is None:
        return default
    seconds = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else _duration(value)
    return _FOREVER if seconds < 0 else seconds


def _duration(value: Any) -> float:
    text = str(value)
    for unit in ("ms", "s", "m", "h"):
        number = text.removesuffix(unit)
        if text.endswith(unit) and number.removeprefix("-").replace(".", "", 1).isdigit():
            return float(number) * _UNITS[unit]
    raise Refused(400, f'time: invalid duration "{text}"')


def _go_kind(value: Any) -> str:
    kinds: dict[type, str] = {
        str: "string",
        bool: "bool",
        list: "array",
        dict: "object",
        int: "number",
        float: "number",
    }
    return kinds.get(type(value), "null")
