"""LangChain's messages as those of the kernel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from mlo.errors import InvalidRequest
from mlo.messages import Message, Role, ToolCall

from .blocks import parts_of, reasoning_of

__all__ = ["messages_of"]

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "assistant": Role.ASSISTANT,
    "ai": Role.ASSISTANT,
}


def messages_of(messages: Sequence[BaseMessage]) -> tuple[Message, ...]:
    """The conversation.

    Raises:
        InvalidRequest: when it is empty, or a message or block has no counterpart here; says which one.
    """
    if not messages:
        raise InvalidRequest("messages: there are none")
    names: dict[str, str] = {}  # of the tools called so far, which a ToolMessage need not repeat
    return tuple(_message(message, f"messages[{index}]", names) for index, message in enumerate(messages))


def _message(message: BaseMessage, where: str, names: dict[str, str]) -> Message:
    match message:
        case HumanMessage():
            return Message(role=Role.USER, content=parts_of(message, where), name=message.name)
        case SystemMessage():
            return Message(role=Role.SYSTEM, content=parts_of(message, where), name=message.name)
        case AIMessage():
            return _assistant(message, where, names)
        case ToolMessage():
            call_id = message.tool_call_id
            name = message.name or names.get(call_id)
            return Message(role=Role.TOOL, content=parts_of(message, where), name=name, tool_call_id=call_id)
        case ChatMessage() if message.role in _ROLES:
            return Message(role=_ROLES[message.role], content=parts_of(message, where), name=message.name)
        case _:
            raise InvalidRequest(f"{where}: {_refusal(message)}")


def _refusal(message: BaseMessage) -> str:
    if isinstance(message, FunctionMessage):
        return "a FunctionMessage answers no tool call: use ToolMessage with its tool_call_id"
    if isinstance(message, ChatMessage):
        return f"a ChatMessage of the role {message.role!r}; known are {', '.join(sorted(_ROLES))}"
    return f"a {type(message).__name__} cannot be sent to a model"


def _assistant(message: AIMessage, where: str, names: dict[str, str]) -> Message:
    calls = tuple(_calls(message))
    names.update((call.id, call.name) for call in calls)
    return Message(
        role=Role.ASSISTANT,
        content=parts_of(message, where),
        name=message.name,
        tool_calls=calls,
        reasoning=reasoning_of(message),
    )


def _calls(message: AIMessage) -> Iterable[ToolCall]:
    for index, call in enumerate(message.tool_calls):
        arguments = json.dumps(call["args"], ensure_ascii=False)
        yield ToolCall(id=call["id"] or f"call_{index}", name=call["name"], arguments=arguments)
    for index, broken in enumerate(message.invalid_tool_calls, start=len(message.tool_calls)):
        # the model shall see what it wrote, faults included
        call_id, name = broken["id"] or f"call_{index}", broken["name"] or ""
        yield ToolCall(id=call_id, name=name, arguments=broken["args"] or "{}")
