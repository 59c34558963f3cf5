"""Answers that fit a schema: how to ask for them, and how to read them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

__all__ = ["Method", "structured"]

Method: TypeAlias = Literal["function_calling", "json_schema", "json_mode"]
Schema: TypeAlias = Mapping[str, Any] | type


def structured(
    model: BaseChatModel, schema: Schema | None, *, method: Method, strict: bool | None, include_raw: bool
) -> Runnable[LanguageModelInput, Any]:
    """``model`` with its answers read as ``schema``.

    Raises:
        ValueError: without a schema where the method needs one, for an unknown method, or for ``strict`` in JSON mode.
    """
    if schema is None and method != "json_mode":
        raise ValueError(f"with_structured_output: method {method!r} needs a schema")
    if method == "function_calling":
        asked, parser = _by_tool(model, schema, strict=strict)
    elif method == "json_schema":
        asked, parser = _by_schema(model, schema, strict=strict)
    elif method == "json_mode":
        if strict is not None:
            raise ValueError("with_structured_output: JSON mode knows no schema that could be strict")
        asked, parser = _by_json_mode(model, schema)
    else:
        raise ValueError(f"with_structured_output: method {method!r} is none of {Method.__args__}")
    return _with_raw(asked, parser) if include_raw else asked | parser


def _by_tool(model: BaseChatModel, schema: Any, *, strict: bool | None) -> tuple[Runnable[Any, AIMessage], Any]:
    name = convert_to_openai_tool(schema)["function"]["name"]
    asked = model.bind_tools(
        [schema],
        tool_choice=name,
        strict=strict,
        ls_structured_output_format=_for_tracing("function_calling", schema, strict=strict),
    )
    if _is_pydantic(schema):
        return asked, PydanticToolsParser(tools=[schema], first_tool_only=True)
    return asked, JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)


def _by_schema(model: BaseChatModel, schema: Any, *, strict: bool | None) -> tuple[Runnable[Any, AIMessage], Any]:
    wanted = convert_to_json_schema(schema)
    told = {"name": str(wanted.get("title", "answer")), "schema": wanted, "strict": strict is not False}
    asked = model.bind(
        response_format={"type": "json_schema", "json_schema": told},
        ls_structured_output_format=_for_tracing("json_schema", schema, strict=strict),
    )
    return asked, _reader(schema)


def _by_json_mode(model: BaseChatModel, schema: Any) -> tuple[Runnable[Any, AIMessage], Any]:
    asked = model.bind(
        response_format={"type": "json_object"},
        ls_structured_output_format=_for_tracing("json_mode", schema),
    )
    return asked, _reader(schema)


def _for_tracing(method: Method, schema: Any, *, strict: bool | None = None) -> dict[str, Any]:
    told = {"method": method} if strict is None else {"method": method, "strict": strict}
    return {"kwargs": told, "schema": schema}


def _reader(schema: Any) -> BaseOutputParser[Any]:
    return PydanticOutputParser(pydantic_object=schema) if _is_pydantic(schema) else JsonOutputParser()


def _is_pydantic(schema: Any) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)


def _with_raw(asked: Runnable[Any, AIMessage], parser: Any) -> Runnable[LanguageModelInput, Any]:
    """A dictionary of ``raw``, ``parsed`` and ``parsing_error``, as every LangChain model gives it."""
    read = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asked) | read.with_fallbacks([failed], exception_key="parsing_error")
