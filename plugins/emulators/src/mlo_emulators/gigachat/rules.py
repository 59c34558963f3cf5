"""What both versions of the chat API check in a request. Messages are those of the service where it is known."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .catalogue import Model, find
from .failures import ApiFailure
from .options import Options
from .prompt import Function, Prompt, Turn

__all__ = [
    "check_functions",
    "check_history",
    "check_length",
    "chosen_model",
    "number",
    "objects",
    "parsed",
]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
_NAME_RULE = (
    "Invalid function names. Only Latin letters (A-Z or a-z), underscore (_), hyphen (-), dot (.) and digits "
    "(not leading) are allowed."
)


def parsed(body: bytes) -> Mapping[str, Any]:
    """The request as an object.

    Raises:
        ApiFailure: 400.
    """
    try:
        value = json.loads(body)
    except ValueError as error:
        raise ApiFailure(400) from error
    if not isinstance(value, dict):
        raise ApiFailure(400)
    return value


def objects(value: object) -> Sequence[Mapping[str, Any]]:
    """``value`` as a list of objects.

    Raises:
        ApiFailure: 400, when it is none.
    """
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ApiFailure(400)
    return value


def number(holder: Mapping[str, Any], name: str, *, above: float, up_to: float | None = None) -> float | None:
    """A number in ``(above, up_to]``, or ``None`` if it is absent.

    Raises:
        ApiFailure: 400 for another type, 422 outside of the range.
    """
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiFailure(400)
    if value <= above or (up_to is not None and value > up_to):
        limit = "+inf)" if up_to is None else f"{up_to:g}]"
        raise ApiFailure(422, f"Invalid params: {name} must be in range ({above:g}, {limit}")
    return float(value)


def chosen_model(body: Mapping[str, Any], options: Options, kind: str = "chat") -> Model:
    """The model that a request names.

    Raises:
        ApiFailure: 400 without a name, 404 for an unknown model or one of another type, 402 for one that is used up.
    """
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise ApiFailure(400)
    model = find(name, options.host)
    if model is None or model.type != kind:
        raise ApiFailure(404)
    if model.id in options.exhausted_models:
        raise ApiFailure(402)
    return model


def check_history(turns: Sequence[Turn]) -> None:
    """The order of messages.

    Raises:
        ApiFailure: 422, or 400 for no messages.
    """
    if not turns:
        raise ApiFailure(400)
    if any(turn.role == "system" for turn in turns[1:]):
        raise ApiFailure(422, "Invalid params: system message must be the first message")
    waiting: str | None = None
    for turn in turns:
        if turn.role == "function":
            if waiting is None:
                text = "every assistant function result must have an assistant function call in history"
                raise ApiFailure(422, f"Invalid params: {text}")
            waiting = None
            continue
        if waiting is not None:
            raise ApiFailure(422, "Invalid params: every assistant function call must have a result in history")
        if turn.call is not None:
            waiting = str(turn.call.get("name"))
    if waiting is not None:
        raise ApiFailure(422, "Invalid params: every assistant function call must have a result in history")


def check_functions(functions: Iterable[Function], turns: Sequence[Turn], options: Options) -> None:
    """Names and schemas of functions.

    Raises:
        ApiFailure: 422.
    """
    listed = tuple(functions)
    if wrong := [function.name for function in listed if not _NAME.fullmatch(function.name)]:
        raise ApiFailure(422, f"Invalid params: {_NAME_RULE}: [{', '.join(wrong)}]")
    if listed and options.functions_after_result == "rejected" and turns[-1].role == "function":
        raise ApiFailure(422, "Invalid params: functions are not allowed after a function result")
    if options.strict_functions:
        for function in listed:
            _check_schema(function.parameters, f"{function.name}.parameters")


def check_length(prompt: Prompt, options: Options) -> None:
    """The length of the prompt.

    Raises:
        ApiFailure: with the status that the options say.
    """
    if prompt.tokens > options.context_tokens:
        raise ApiFailure(options.context_overflow)


def _check_schema(schema: object, where: str) -> None:
    if not isinstance(schema, Mapping):
        raise ApiFailure(400)
    for word in ("anyOf", "allOf", "oneOf", "$ref"):
        if word in schema:
            raise ApiFailure(422, f"Invalid params: {where}: {word} is not supported")
    if any(not isinstance(value, str) for value in schema.get("enum", ())):
        raise ApiFailure(422, f"Invalid params: {where}: enum values must be strings")
    properties = schema.get("properties")
    if schema.get("type") == "object" and not (isinstance(properties, Mapping) and properties):
        raise ApiFailure(422, f"Invalid params: {where}: object needs properties")
    for name, part in (properties or {}).items():
        _check_schema(part, f"{where}.{name}")
    if "items" in schema:
        _check_schema(schema["items"], f"{where}[]")
