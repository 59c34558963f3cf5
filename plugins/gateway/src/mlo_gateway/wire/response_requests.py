"""Requests for responses (``/v1/responses``) as chats.

Nothing is kept here between requests: the whole conversation has to be in ``input``, as clients send it that do not
use ``previous_response_id``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve

from mlo.messages import Message, Role, ToolDef
from mlo.requests import ChatRequest, Sampling
from mlo_gateway.config import UnknownParameters

from .content import content_of
from .extras import Fields
from .fields import (
    Json,
    boolean,
    choice,
    integer,
    invalid,
    items,
    missing,
    number,
    object_of,
    string,
    unsupported,
)
from .tools import called, effort_of, format_of, tool_choice_of, tool_of

__all__ = ["RESPONSE_FIELDS", "response_request"]

_ROLES = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
_KEPT = ("previous_response_id", "conversation", "prompt")

RESPONSE_FIELDS = Fields(
    mapped=frozenset(
        {
            "model",
            "input",
            "instructions",
            "stream",
            "stream_options",
            "tools",
            "tool_choice",
            "text",
            "reasoning",
            "temperature",
            "top_p",
            "max_output_tokens",
            "metadata",
            "user",
            "store",
            "background",
            *_KEPT,
        }
    ),
    # `include` asks for more about tools of OpenAI's own, and for thinking in a form that only OpenAI can read
    idle=frozenset({"include", "prompt_cache_key", "prompt_cache_retention", "safety_identifier"}),
    special={
        "parallel_tool_calls": lambda value: value is True,
        "service_tier": lambda value: value in {"auto", "default"},
        "truncation": lambda value: value == "disabled",
        "top_logprobs": lambda value: value == 0,
        "max_tool_calls": lambda _value: False,
        "context_management": lambda _value: False,
        "moderation": lambda _value: False,
    },
)


def response_request(body: Json, policy: UnknownParameters, metadata: Mapping[str, str]) -> ChatRequest:
    """The chat that a body asks for; which model it names is the caller's business.

    Raises:
        GatewayError: 400, naming the field that is wrong or asks for something to be kept here.
    """
    _refuse_memory(body)
    instructions = string(body, "instructions")
    messages = [Message.system(instructions)] if instructions else []
    messages += _conversation(body)
    form = object_of(body, "text") or {}
    reasoning = object_of(body, "reasoning") or {}
    extra = RESPONSE_FIELDS.sent_on(body, policy)
    if form.get("verbosity") not in {None, "medium"}:
        extra["verbosity"] = string(form, "verbosity", "text.")
    return ChatRequest(
        messages=messages,
        tools=_tools(body),
        tool_choice=tool_choice_of(body),
        response_format=format_of(object_of(form, "format", "text."), "text.format"),
        sampling=Sampling(
            temperature=number(body, "temperature", least=0, most=2),
            top_p=number(body, "top_p", least=0, most=1),
            max_tokens=integer(body, "max_output_tokens", least=1),
        ),
        reasoning=effort_of(reasoning, "effort", "reasoning."),
        extra=extra,
        metadata=metadata,
    )


def _refuse_memory(body: Json) -> None:
    if boolean(body, "store"):
        raise unsupported("store", "Responses are not stored here: leave 'store' out, or send false.")
    if boolean(body, "background"):
        raise unsupported("background", "Responses in the background are not supported: they would have to be stored.")
    for name in _KEPT:
        if body.get(name) is not None:
            raise unsupported(name, f"Nothing is stored here, so there is no '{name}': send the whole conversation.")


def _conversation(body: Json) -> list[Message]:
    said = body.get("input")
    if isinstance(said, str):
        return [Message.user(said)]
    if said is None:
        raise missing("input")
    messages: list[Message] = []
    thought = ""
    for where, item in items(body, "input"):
        kind = string(item, "type", f"{where}.") or "message"
        if kind == "reasoning":
            thought += _thought(item, where)
            continue
        message = _message(item, kind, where)
        if message.role is Role.ASSISTANT:
            message, thought = evolve(message, reasoning=thought or None), ""
            if message.tool_calls and messages and messages[-1].role is Role.ASSISTANT:
                messages[-1] = _joined(messages[-1], message)
                continue
        messages.append(message)
    if not messages:
        raise invalid("input", "expected at least one message.")
    return messages


def _message(item: Json, kind: str, where: str) -> Message:
    if kind == "message":
        role = choice(item, "role", _ROLES, f"{where}.")
        if role is None:
            raise missing(f"{where}.role")
        if item.get("content") is None:
            raise missing(f"{where}.content")
        return Message(role=_ROLES[role], content=content_of(item, where))
    if kind == "function_call":
        return Message.assistant(tool_calls=(called(item, "call_id", item, where),))
    if kind == "function_call_output":
        return _result(item, where)
    if kind == "item_reference":
        raise unsupported(where, "Nothing is stored here that an item could refer to: send the item itself.")
    raise unsupported(f"{where}.type", f"Items of type '{kind[:40]}' are not supported.")


def _result(item: Json, where: str) -> Message:
    call_id = string(item, "call_id", f"{where}.")
    if not call_id:
        raise missing(f"{where}.call_id")
    if item.get("output") is None:
        raise missing(f"{where}.output")
    return Message(role=Role.TOOL, content=content_of(item, where, "output"), tool_call_id=call_id)


def _thought(item: Json, where: str) -> str:
    parts = [*items(item, "content", f"{where}."), *items(item, "summary", f"{where}.")]
    return "".join(string(part, "text", f"{place}.") or "" for place, part in parts)


def _joined(earlier: Message, later: Message) -> Message:
    """What a model said and called in one turn stands in one message."""
    return evolve(
        earlier,
        tool_calls=(*earlier.tool_calls, *later.tool_calls),
        reasoning=(earlier.reasoning or "") + (later.reasoning or "") or None,
    )


def _tools(body: Json) -> tuple[ToolDef, ...]:
    return tuple(_checked_tools(body))


def _checked_tools(body: Json) -> Iterator[ToolDef]:
    names = set()
    for where, tool in items(body, "tools"):
        kind = string(tool, "type", f"{where}.")
        if kind != "function":
            raise unsupported(
                f"{where}.type", f"Tools of type '{(kind or '')[:40]}' are not supported, only functions."
            )
        found = tool_of(tool, where)
        if found.name in names:
            raise invalid("tools", "two tools have the same name.")
        names.add(found.name)
        yield found
