"""Tools, the choice among them, and the form of the answer: alike in chat completions and responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from mlo.messages import ToolCall, ToolChoice, ToolDef
from mlo.requests import JsonObject, JsonSchema, ReasoningEffort, ResponseFormat, TextFormat

from .fields import Json, boolean, choice, invalid, items, missing, object_of, string, unsupported

__all__ = ["called", "effort_of", "format_of", "functions_of", "tool_call_of", "tool_choice_of", "tool_of"]

_MODES = frozenset({"auto", "none", "required"})
_EFFORTS: Mapping[str, ReasoningEffort] = {
    "none": "off",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
}


def tool_of(function: Json, where: str) -> ToolDef:
    """A function that the model may call."""
    name = string(function, "name", f"{where}.")
    if not name:
        raise missing(f"{where}.name")
    parameters = object_of(function, "parameters", f"{where}.")
    return ToolDef(
        name=name,
        description=string(function, "description", f"{where}.") or "",
        parameters={"type": "object", "properties": {}} if parameters is None else parameters,
        strict=boolean(function, "strict", f"{where}."),
    )


def tool_choice_of(body: Mapping[str, Any]) -> ToolChoice | None:
    """Which tool the model has to call."""
    wanted = body.get("tool_choice")
    if wanted is None:
        return None
    if isinstance(wanted, str):
        mode = choice(body, "tool_choice", _MODES)
        return ToolChoice(mode=cast("Literal['auto', 'none', 'required']", mode))
    found = object_of(body, "tool_choice") or {}
    if found.get("type") != "function":
        raise unsupported("tool_choice.type", "Only functions can be chosen.")
    function = object_of(found, "function", "tool_choice.") if "function" in found else found
    name = string(function or {}, "name", "tool_choice.")
    if not name:
        raise missing("tool_choice.function.name")
    return ToolChoice(mode="named", name=name)


def tool_call_of(call: Json, where: str) -> ToolCall:
    """A call that the model made earlier, in a message of a chat completion."""
    if call.get("type", "function") != "function":
        raise unsupported(f"{where}.type", "Only calls of functions are supported.")
    function = object_of(call, "function", f"{where}.")
    if function is None:
        raise missing(f"{where}.function")
    return called(call, "id", function, where)


def called(call: Json, id_name: str, function: Json, where: str) -> ToolCall:
    """A call from where its id and its function stand."""
    call_id, name = string(call, id_name, f"{where}."), string(function, "name", f"{where}.")
    if not call_id:
        raise missing(f"{where}.{id_name}")
    if not name:
        raise missing(f"{where}.name")
    return ToolCall(id=call_id, name=name, arguments=string(function, "arguments", f"{where}.") or "{}")


def format_of(wanted: Json | None, where: str) -> ResponseFormat:
    """The form of the answer. A schema stands in ``json_schema`` (chat) or beside the type (responses)."""
    if wanted is None:
        return TextFormat()
    kind = choice(wanted, "type", ("text", "json_object", "json_schema"), f"{where}.")
    if kind is None:
        raise missing(f"{where}.type")
    if kind == "text":
        return TextFormat()
    if kind == "json_object":
        return JsonObject()
    place = where
    if "json_schema" in wanted:
        place = f"{where}.json_schema"
        wanted = object_of(wanted, "json_schema", f"{where}.") or {}
    schema = object_of(wanted, "schema", f"{place}.")
    if schema is None:
        raise missing(f"{place}.schema")
    name, strict = string(wanted, "name", f"{place}."), boolean(wanted, "strict", f"{place}.")
    return JsonSchema(schema=schema, name=name or "answer", strict=bool(strict))


def effort_of(body: Mapping[str, Any], name: str, where: str = "") -> ReasoningEffort | None:
    """How much the model may think."""
    wanted = choice(body, name, _EFFORTS, where)
    return None if wanted is None else _EFFORTS[wanted]


def functions_of(body: Mapping[str, Any]) -> tuple[ToolDef, ...]:
    """The tools of a chat completion."""
    found = []
    for where, tool in items(body, "tools"):
        if tool.get("type") != "function":
            raise unsupported(f"{where}.type", "Only tools of type 'function' are supported.")
        function = object_of(tool, "function", f"{where}.")
        if function is None:
            raise missing(f"{where}.function")
        found.append(tool_of(function, f"{where}.function"))
    names = [tool.name for tool in found]
    if len(set(names)) < len(names):
        raise invalid("tools", "two tools have the same name.")
    return tuple(found)
