"""Conversations as GigaChat takes them.

Its rules: one system message, and that first; at most one function call in a message; each call followed by its
result; results are JSON. What other vendors allow is brought into that form without loss, or refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Literal

from attrs import frozen

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import FileRef, Image, Message, Role, ToolCall

from .callids import state_of
from .wire import Wire

__all__ = ["Line", "lines"]


@frozen(kw_only=True)
class Line:
    """One message on the wire, before it takes the form of v1 or v2. ``name`` is the function's."""

    role: Literal["system", "user", "assistant", "function"]
    text: str = ""
    files: tuple[str, ...] = ()
    name: str | None = None
    arguments: Wire | None = None
    state: str | None = None


def lines(messages: Sequence[Message], *, merge_system: bool) -> list[Line]:
    """The conversation, line by line.

    Raises:
        InvalidRequest: for a call without a result or a result without a call.
        Unsupported: for several system messages that must not be merged, or a picture that was not uploaded.
    """
    system = [message.text for message in messages if message.role is Role.SYSTEM]
    if not merge_system and (len(system) > 1 or (system and messages[0].role is not Role.SYSTEM)):
        raise Unsupported("GigaChat takes one system message, the first one (system_messages = 'merge' joins several)")
    head = [Line(role="system", text="\n\n".join(system))] if system else []
    rest = [(number, message) for number, message in enumerate(messages) if message.role is not Role.SYSTEM]
    return head + list(_body(rest))


def _body(messages: Sequence[tuple[int, Message]]) -> Iterator[Line]:
    position = 0
    while position < len(messages):
        number, message = messages[position]
        position += 1
        if message.role is Role.TOOL:
            raise InvalidRequest(f"messages[{number}] is a tool's result, but no call of that tool stands before it")
        if not message.tool_calls:
            role: Literal["user", "assistant"] = "user" if message.role is Role.USER else "assistant"
            yield Line(role=role, text=message.text, files=_files(message, number))
            continue
        results = []
        while position < len(messages) and messages[position][1].role is Role.TOOL:
            results.append(messages[position])
            position += 1
        yield from _called(number, message, results)


def _files(message: Message, number: int) -> tuple[str, ...]:
    found = []
    for part in message.parts:
        if isinstance(part, FileRef):
            found.append(part.id)
        elif isinstance(part, Image):
            raise Unsupported(f"messages[{number}]: a picture must be uploaded first")
    return tuple(found)


def _called(number: int, message: Message, results: list[tuple[int, Message]]) -> Iterator[Line]:
    for index, call in enumerate(message.tool_calls):
        found = next((pair for pair in results if _answers(pair[1], call, message)), None)
        if found is None:
            raise InvalidRequest(f"messages[{number}]: the call {call.id} of {call.name!r} has no result after it")
        results.remove(found)
        text = message.text if index == 0 else ""
        yield Line(
            role="assistant", text=text, name=call.name, arguments=_arguments(call, number), state=state_of(call.id)
        )
        yield Line(role="function", text=_as_json(found[1].text), name=call.name, state=state_of(call.id))
    if results:
        raise InvalidRequest(f"messages[{results[0][0]}] is a result of a call that messages[{number}] does not make")


def _answers(result: Message, call: ToolCall, message: Message) -> bool:
    if result.tool_call_id is not None:
        return result.tool_call_id == call.id
    return result.name == call.name or len(message.tool_calls) == 1


def _arguments(call: ToolCall, number: int) -> Wire:
    try:
        return call.parsed()
    except ValueError as error:
        raise InvalidRequest(f"messages[{number}]: {error}") from error


def _as_json(text: str) -> str:
    """A result as GigaChat demands it: JSON; plain text becomes the field ``result`` of an object."""
    try:
        json.loads(text)
    except ValueError:
        return json.dumps({"result": text}, ensure_ascii=False)
    return text
