"""What the mock says: a pure function from a request to an answer, and the answer's way into chunks and counts."""

from __future__ import annotations

import hashlib
import json
import math
import re
import struct
from collections.abc import Iterable, Iterator, Sequence

from attrs import frozen

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import Image, Message, Role, Text, ToolCall, ToolDef
from mlo.requests import ChatRequest, JsonObject, JsonSchema
from mlo.responses import FinishReason, Usage

from .config import MockConfig
from .schema_values import SchemaRefused, value_for

__all__ = ["Answer", "chunks_of", "compose", "count_words", "usage_of", "vector_of"]

_WORD = re.compile(r"\s*\S+|\s+")
_CYRILLIC = re.compile("[а-яёА-ЯЁ]")


@frozen(kw_only=True)
class Answer:
    """An answer before it is dressed up as a response or as events."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    reasoning: str | None = None
    finish: FinishReason = FinishReason.STOP


def compose(request: ChatRequest, fixed: str | None = None) -> Answer:
    """The answer to ``request``: a tool call where one is due, else ``fixed``, else an echo in the format asked for.

    Raises:
        InvalidRequest: when the named tool is not among the tools.
        Unsupported: when a JSON schema asks for what the generator cannot make.
    """
    reasoning = _reasoning(request) if request.reasoning not in {None, "off"} else None
    if request.tools:
        calls = tuple(_call(request, index, tool) for index, tool in enumerate(_tools_due(request)))
        if calls:
            return Answer(calls=calls, reasoning=reasoning, finish=FinishReason.TOOL_CALLS)
    text = fixed if fixed is not None else _text(request)
    sampling = request.sampling
    if sampling.stop:
        text = _before_stop(text, sampling.stop)
    if sampling.max_tokens is not None:
        words = chunks_of(text, None)
        if len(words) > sampling.max_tokens:
            return Answer(text="".join(words[: sampling.max_tokens]), reasoning=reasoning, finish=FinishReason.LENGTH)
    return Answer(text=text, reasoning=reasoning)


def _text(request: ChatRequest) -> str:
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        return json.dumps(_schema_value(wanted.schema), ensure_ascii=False)
    if isinstance(wanted, JsonObject):
        return json.dumps({"echo": _said(request)}, ensure_ascii=False)
    results = _tool_results(request.messages)
    if results:
        return _after_tools(results)
    said = _said(request)
    return f"{_in_language(said, 'Эхо', 'Echo')}: {said}"


def _in_language(sample: str, russian: str, english: str) -> str:
    return russian if _CYRILLIC.search(sample) else english


def _said(request: ChatRequest) -> str:
    """The last words of the user; pictures and files show as a note."""
    for message in reversed(request.messages):
        if message.role is Role.USER:
            if isinstance(message.content, str):
                return message.content
            return "".join(
                part.text if isinstance(part, Text) else "[image]" if isinstance(part, Image) else f"[file {part.id}]"
                for part in message.content
            )
    return ""


def _reasoning(request: ChatRequest) -> str:
    said = _said(request)
    return f"{_in_language(said, 'Меня просят', 'They ask')}: {said}"


def _tools_due(request: ChatRequest) -> Sequence[ToolDef]:
    choice = request.tool_choice
    mode = "auto" if choice is None else choice.mode
    if mode == "none" or _tool_results(request.messages):
        return ()
    if choice is not None and mode == "named":
        return (_named(request.tools, choice.name or ""),)
    said = _said(request)
    mentioned = tuple(tool for tool in request.tools if tool.name in said)
    return mentioned or (request.tools[:1] if mode == "required" else ())


def _named(tools: Sequence[ToolDef], name: str) -> ToolDef:
    for tool in tools:
        if tool.name == name:
            return tool
    known = ", ".join(tool.name for tool in tools)
    raise InvalidRequest(f"tool_choice names {name!r}, which is not among the tools ({known})", status=400)


def _call(request: ChatRequest, index: int, tool: ToolDef) -> ToolCall:
    arguments = json.dumps(_schema_value(tool.parameters), ensure_ascii=False)
    # the place in the conversation makes the id unique within it, and the same in every run
    return ToolCall(id=f"call_{len(request.messages)}_{index}", name=tool.name, arguments=arguments)


def _schema_value(schema: object) -> object:
    try:
        return value_for(schema)  # type: ignore[arg-type]  # requests hold mappings
    except SchemaRefused as error:
        raise Unsupported(str(error)) from error


def _tool_results(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The tool messages at the very end of the conversation."""
    start = len(messages)
    while start and messages[start - 1].role is Role.TOOL:
        start -= 1
    return tuple(messages[start:])


def _after_tools(results: Iterable[Message]) -> str:
    said = "; ".join(f"{result.name or result.tool_call_id or 'tool'} → {result.text}" for result in results)
    return f"{_in_language(said, 'Инструмент ответил', 'The tool said')}: {said}"


def _before_stop(text: str, stops: Iterable[str]) -> str:
    places = [text.find(stop) for stop in stops if stop]
    return text[: min((place for place in places if place >= 0), default=len(text))]


def chunks_of(text: str, size: int | None) -> list[str]:
    """``text`` in pieces of ``size`` characters, or word by word; joined they are ``text`` again."""
    if size is None:
        return _WORD.findall(text)
    return [text[start : start + size] for start in range(0, len(text), size)]


def count_words(text: str) -> int:
    """Tokens the way the mock counts them."""
    return len(text.split())


def usage_of(request: ChatRequest, answer: Answer, config: MockConfig) -> Usage:
    """The counts of one call. A word is a token; reasoning is part of the completion."""
    if config.usage == "none":
        return Usage()
    prompt = sum(count_words(message.text) for message in request.messages)
    thought = count_words(answer.reasoning) if answer.reasoning else None
    spoken = count_words(answer.text) + sum(count_words(call.arguments) for call in answer.calls)
    completion = spoken + (thought or 0)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=None if config.cached_tokens is None else min(config.cached_tokens, prompt),
        reasoning_tokens=thought,
        total_tokens=prompt + completion,
        source=config.usage,
    )


def vector_of(text: str, dimensions: int) -> tuple[float, ...]:
    """A unit vector that depends on ``text`` alone; texts that share words lie closer together."""
    total = [0.0] * dimensions
    for word in text.lower().split() or [""]:
        for index, number in enumerate(_numbers(word, dimensions)):
            total[index] += number
    length = math.hypot(*total)
    return tuple(number / length for number in total)


def _numbers(word: str, dimensions: int) -> Iterator[float]:
    # odd numbers are never zero, so the sum over one word has a direction
    digest = hashlib.shake_256(word.encode("utf-8", "surrogatepass")).digest(2 * dimensions)
    return (float(number | 1) for number in struct.unpack(f"<{dimensions}h", digest))
