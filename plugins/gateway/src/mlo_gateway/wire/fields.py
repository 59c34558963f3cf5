"""Reading the fields of a client's JSON: what is not as it should be is an error that names the field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

import orjson

from mlo_gateway.contracts import GatewayError

__all__ = [
    "Json",
    "boolean",
    "choice",
    "integer",
    "invalid",
    "items",
    "missing",
    "number",
    "object_of",
    "parsed",
    "string",
    "strings",
    "surplus",
    "unknown_parameter",
    "unsupported",
]

Json: TypeAlias = dict[str, Any]

_NAMES = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", list: "an array", dict: "an object"}
_MOST_SHOWN = 40


def invalid(param: str | None, message: str, code: str = "invalid_value") -> GatewayError:
    """The error for a field that is wrong."""
    where = f"Invalid value for '{param}': " if param else ""
    return GatewayError(400, code, "invalid_request_error", f"{where}{message}", param=param)


def missing(param: str) -> GatewayError:
    """The error for a field that is not there."""
    message = f"Missing required parameter: '{param}'."
    return GatewayError(400, "missing_required_parameter", "invalid_request_error", message, param=param)


def unsupported(param: str, message: str) -> GatewayError:
    """The error for a field that OpenAI knows and this gateway, or the model behind it, cannot serve."""
    return GatewayError(400, "unsupported_parameter", "invalid_request_error", message, param=param)


def parsed(body: bytes, depth_limit: int) -> Json:
    """The JSON object that a request's body is.

    Raises:
        GatewayError: 400, when it is something else, or nested more deeply than ``depth_limit``.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"We could not parse the JSON body of your request: {error.msg} at character {error.pos}."
        raise GatewayError(400, "invalid_json", "invalid_request_error", message) from error
    if not isinstance(value, dict):
        raise GatewayError(400, "invalid_json", "invalid_request_error", "The body must be a JSON object.")
    if body.count(b"{") + body.count(b"[") > depth_limit and _is_deeper(value, depth_limit):
        message = f"The JSON body is nested more than {depth_limit} levels deep."
        raise GatewayError(400, "nesting_too_deep", "invalid_request_error", message)
    return value


def _is_deeper(value: object, limit: int) -> bool:
    layer: list[object] = [value]
    for _ in range(limit):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)  # type: ignore[attr-defined]  # only containers are kept
            if isinstance(inner, (dict, list))
        ]
        if not layer:
            return False
    return True


def surplus(body: Mapping[str, Any], known: frozenset[str]) -> list[str]:
    """The fields that are not among the known ones and hold something."""
    return [name for name in body.keys() - known if body[name] is not None]


def unknown_parameter(name: str, known: Iterable[str]) -> GatewayError:
    """The error for a field that nobody knows."""
    shown = name[:_MOST_SHOWN]
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    message = f"Unrecognized request argument supplied: '{shown}'.{hint}"
    return GatewayError(400, "unknown_parameter", "invalid_request_error", message, param=shown)


def _wrong_type(param: str, wanted: type, value: object) -> GatewayError:
    got = _NAMES.get(type(value), "null")
    return invalid(param, f"expected {_NAMES[wanted]}, but got {got} instead.", "invalid_type")


def string(body: Mapping[str, Any], name: str, where: str = "") -> str | None:
    """A text, or ``None``."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    raise _wrong_type(where + name, str, value)


def boolean(body: Mapping[str, Any], name: str, where: str = "") -> bool | None:
    """A truth value, or ``None``."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise _wrong_type(where + name, bool, value)


def integer(
    body: Mapping[str, Any], name: str, where: str = "", *, least: int | None = None, most: int | None = None
) -> int | None:
    """An integer within its bounds, or ``None``."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON knows one kind of number: 16.0 is the integer 16
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(where + name, int, value)
    if (least is not None and value < least) or (most is not None and value > most):
        raise invalid(where + name, _bounds(value, least, most))
    return value


def number(
    body: Mapping[str, Any], name: str, where: str = "", *, least: float | None = None, most: float | None = None
) -> float | None:
    """A number within its bounds, or ``None``."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type(where + name, float, value)
    if (least is not None and value < least) or (most is not None and value > most):
        raise invalid(where + name, _bounds(value, least, most))
    return value


def _bounds(value: float, least: float | None, most: float | None) -> str:
    bounds = [f">= {least}" if least is not None else "", f"<= {most}" if most is not None else ""]
    return f"{value} is not {' and '.join(filter(None, bounds))}."


def choice(body: Mapping[str, Any], name: str, known: Iterable[str], where: str = "") -> str | None:
    """One of the known words, or ``None``."""
    value = string(body, name, where)
    if value is None or value in known:
        return value
    listed = ", ".join(f"'{word}'" for word in sorted(known))
    raise invalid(where + name, f"'{value[:_MOST_SHOWN]}' is not one of {listed}.")


def strings(body: Mapping[str, Any], name: str, where: str = "") -> tuple[str, ...]:
    """A text or several, as several."""
    value = body.get(name)
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        for index, item in enumerate(value):
            if not isinstance(item, str):
                raise _wrong_type(f"{where}{name}[{index}]", str, item)
        return tuple(value)
    raise _wrong_type(where + name, str, value)


def object_of(body: Mapping[str, Any], name: str, where: str = "") -> Json | None:
    """An object, or ``None``."""
    value = body.get(name)
    if value is None or isinstance(value, dict):
        return value
    raise _wrong_type(where + name, dict, value)


def items(body: Mapping[str, Any], name: str, where: str = "") -> list[tuple[str, Json]]:
    """The objects of an array, each with where it stands; none for an absent array."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong_type(where + name, list, value)
    found = []
    for index, item in enumerate(value):
        place = f"{where}{name}[{index}]"
        if not isinstance(item, dict):
            raise _wrong_type(place, dict, item)
        found.append((place, item))
    return found
