"""Tools and output formats: from what LangChain's users write to what a request holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from langchain_core.utils.function_calling import convert_to_json_schema

from mlo.errors import InvalidRequest
from mlo.messages import ToolChoice, ToolDef
from mlo.requests import JsonObject, JsonSchema, ResponseFormat, TextFormat

__all__ = ["ChoiceLike", "choice_of", "format_of", "tool_of"]

ChoiceLike: TypeAlias = str | bool | Mapping[str, Any] | None
"""A tool's name, ``"auto"``, ``"none"``, ``"any"`` or ``"required"`` (``True``), or OpenAI's dictionary."""

_MODES: Mapping[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "any": "required",
    "required": "required",
}


def tool_of(tool: Any, where: str = "tools") -> ToolDef:
    """A tool in OpenAI's form, as ``bind_tools`` keeps it.

    Raises:
        InvalidRequest: for a tool that is not a function, such as a vendor's own web search, or has no name.
    """
    if not isinstance(tool, Mapping):
        raise InvalidRequest(f"{where}: a {type(tool).__name__} is no tool in OpenAI's form; bind_tools makes them")
    function = tool.get("function")
    if tool.get("type") != "function" or not isinstance(function, Mapping):
        raise InvalidRequest(f"{where}: {tool.get('type')!r} is not a function; a vendor's own tools go into `extra`")
    if not isinstance(name := function.get("name"), str):
        raise InvalidRequest(f"{where}: the function has no name")
    return ToolDef(
        name=name,
        description=function.get("description") or "",
        parameters=function.get("parameters") or {"type": "object", "properties": {}},
        strict=function.get("strict"),
    )


def choice_of(choice: ChoiceLike, names: Sequence[str]) -> ToolChoice | None:
    """Which tool has to be called; ``None`` leaves it to the vendor's default.

    Raises:
        InvalidRequest: when the tool that is named is not among ``names``.
    """
    if choice is None or choice is False:
        return None
    if choice is True:
        return ToolChoice(mode="required")
    if isinstance(choice, Mapping):  # {"type": "function", "function": {"name": …}}, or Anthropic's flat form
        function = choice.get("function", choice)
        return choice_of(function.get("name") or choice.get("type"), names)
    if choice in names:
        return ToolChoice(mode="named", name=choice)
    if choice in _MODES:
        return ToolChoice(mode=_MODES[choice])
    known = ", ".join(names) or "no tools"
    raise InvalidRequest(f"tool_choice names {choice!r}, but there are {known}; or say auto, none or any")


def format_of(wanted: Any, *, strict: bool | None = None) -> ResponseFormat | None:
    """The format of the answer: one of the kernel's, OpenAI's dictionary, a JSON Schema, or a class that makes one.

    Raises:
        InvalidRequest: for anything else.
    """
    if wanted is None or isinstance(wanted, TextFormat | JsonObject | JsonSchema):
        return wanted
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind == "text":
        return TextFormat()
    if kind == "json_object":
        return JsonObject()
    if kind == "json_schema":
        return _of_openai(wanted.get("json_schema"), strict=strict)
    if isinstance(wanted, Mapping | type):
        schema = _schema_of(wanted)
        return JsonSchema(schema=schema, name=str(schema.get("title", "answer")), strict=strict is not False)
    raise InvalidRequest(f"response_format: {wanted!r} is neither a schema nor a kind of format")


def _schema_of(wanted: Any) -> dict[str, Any]:
    try:
        return convert_to_json_schema(wanted)
    except ValueError as error:
        raise InvalidRequest(f"response_format: no JSON Schema can be made of {wanted!r}: {error}") from error


def _of_openai(told: Any, *, strict: bool | None) -> JsonSchema:
    if not isinstance(told, Mapping) or not isinstance(told.get("schema"), Mapping):
        raise InvalidRequest("response_format: `json_schema` has to hold `name` and `schema`")
    chosen = told.get("strict") if strict is None else strict
    return JsonSchema(schema=told["schema"], name=str(told.get("name", "answer")), strict=chosen is not False)
