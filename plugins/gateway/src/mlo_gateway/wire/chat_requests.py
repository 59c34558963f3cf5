"""Requests for chat completions."""

from __future__ import annotations

from collections.abc import Mapping

from mlo.messages import Message, Role
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
    strings,
    unsupported,
)
from .tools import effort_of, format_of, functions_of, tool_call_of, tool_choice_of

__all__ = ["CHAT_FIELDS", "chat_request", "most_tokens", "sampling_of", "wants_usage"]

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
}
_SAMPLING = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "seed",
        "frequency_penalty",
        "presence_penalty",
        "repetition_penalty",
    }
)
CHAT_FIELDS = Fields(
    mapped=_SAMPLING
    | {
        "model",
        "messages",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "metadata",
        "user",
    },
    idle=frozenset({"prompt_cache_key", "prompt_cache_retention", "safety_identifier"}),
    special={
        "n": lambda value: value == 1,
        "parallel_tool_calls": lambda value: value is True,
        "service_tier": lambda value: value in {"auto", "default"},
        "modalities": lambda value: value == ["text"],
        "verbosity": lambda value: value == "medium",
        "logprobs": lambda _value: False,
        "top_logprobs": lambda value: value == 0,
        "logit_bias": lambda _value: False,
        "store": lambda _value: False,
        "audio": lambda _value: False,
        "prediction": lambda _value: False,
        "web_search_options": lambda _value: False,
        "moderation": lambda _value: False,
        "functions": lambda _value: False,
        "function_call": lambda _value: False,
    },
)


def chat_request(body: Json, policy: UnknownParameters, metadata: Mapping[str, str]) -> ChatRequest:
    """The request that a body asks for; which model it names is the caller's business.

    Raises:
        GatewayError: 400, naming the field that is wrong.
    """
    messages = [_message(message, where) for where, message in items(body, "messages")]
    if not messages:
        if "messages" in body:
            raise invalid("messages", "expected at least one message.")
        raise missing("messages")
    return ChatRequest(
        messages=messages,
        tools=functions_of(body) if "tools" in body else (),
        tool_choice=tool_choice_of(body),
        response_format=format_of(object_of(body, "response_format"), "response_format"),
        sampling=sampling_of(body),
        reasoning=effort_of(body, "reasoning_effort"),
        extra=CHAT_FIELDS.sent_on(body, policy),
        metadata=metadata,
    )


def sampling_of(body: Json) -> Sampling:
    """How the next token is chosen."""
    if not (body.keys() & _SAMPLING):
        return _DEFAULT_SAMPLING
    return Sampling(
        temperature=number(body, "temperature", least=0, most=2),
        top_p=number(body, "top_p", least=0, most=1),
        top_k=integer(body, "top_k", least=0),
        max_tokens=most_tokens(body),
        stop=strings(body, "stop"),
        seed=integer(body, "seed"),
        frequency_penalty=number(body, "frequency_penalty", least=-2, most=2),
        presence_penalty=number(body, "presence_penalty", least=-2, most=2),
        repetition_penalty=number(body, "repetition_penalty", least=0),
    )


_DEFAULT_SAMPLING = Sampling()


def most_tokens(body: Json) -> int | None:
    """How many tokens the answer may have."""
    newer = integer(body, "max_completion_tokens", least=1)
    return integer(body, "max_tokens", least=1) if newer is None else newer


def wants_usage(body: Json) -> bool:
    """Whether a stream is to end with the token counts."""
    options = object_of(body, "stream_options")
    if options is None:
        return False
    if not body.get("stream"):
        raise invalid("stream_options", "only allowed when 'stream' is enabled.")
    return bool(boolean(options, "include_usage", "stream_options."))


def _message(message: Json, where: str) -> Message:
    word = choice(message, "role", _ROLES, f"{where}.")
    if word is None:
        raise missing(f"{where}.role")
    role = _ROLES[word]
    if role is Role.USER and len(message) == 2 and isinstance(message.get("content"), str):
        return Message(role=role, content=message["content"])  # the common case
    content = content_of(message, where)
    calls = tuple(tool_call_of(call, place) for place, call in items(message, "tool_calls", f"{where}."))
    if message.get("function_call") is not None:
        raise unsupported(f"{where}.function_call", "'function_call' is out of use: send 'tool_calls'.")
    if "content" not in message and not calls:
        raise missing(f"{where}.content")
    answered = string(message, "tool_call_id", f"{where}.")
    if role is Role.TOOL and not answered:
        raise missing(f"{where}.tool_call_id")
    return Message(
        role=role,
        content=content,
        name=string(message, "name", f"{where}."),
        tool_calls=calls,
        tool_call_id=answered,
        reasoning=string(message, "reasoning_content", f"{where}."),
    )
