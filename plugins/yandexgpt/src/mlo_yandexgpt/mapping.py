"""From a chat request to the native API's CompletionRequest. Pure.

What the API has no word for is refused, never dropped: see :func:`check_sampling`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlo.errors import ContextTooLong, InvalidRequest, Unsupported
from mlo.messages import Message, Role, Text, ToolCall, ToolChoice, ToolDef
from mlo.requests import ChatRequest, JsonObject, JsonSchema, ReasoningEffort, ResponseFormat, Sampling

__all__ = ["check_said", "check_sampling", "check_text", "check_tools", "completion_request"]

_MAX_TEXT = 100_000
_NO_WORD_FOR = ("top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "repetition_penalty")


def completion_request(
    request: ChatRequest, uri: str, *, stream: bool, can_reason: bool | None = None, cut_stops: bool = False
) -> dict[str, Any]:
    """The wire request.

    ``can_reason`` is ``False`` for models that are known not to; ``cut_stops`` says that the caller sees to stop
    sequences.

    Raises:
        InvalidRequest: for what the API would refuse.
        Unsupported: for what it cannot express.
    """
    check_sampling(request.sampling, cut_stops=cut_stops)
    check_tools(request.tools)
    body: dict[str, Any] = {
        "modelUri": uri,
        "completionOptions": _options(request, stream=stream, can_reason=can_reason),
        "messages": list(_messages(request.messages)),
    }
    if not body["messages"]:
        raise InvalidRequest("the request has no messages")
    if request.tools:
        body["tools"] = [{"function": _function(tool)} for tool in request.tools]
        if request.tool_choice is not None:
            body["toolChoice"] = _choice(request.tool_choice)
    body |= _format(request.response_format)
    return _with_extra(body, request.extra)


def check_sampling(sampling: Sampling, *, cut_stops: bool = False) -> None:
    """See that nothing is asked for that the vendor cannot do.

    Raises:
        InvalidRequest: a value that no model of the vendor takes.
        Unsupported: a parameter that the vendor does not have.
    """
    if sampling.temperature is not None and not 0 <= sampling.temperature <= 1:
        raise InvalidRequest(
            f"temperature is {sampling.temperature:g}, YandexGPT takes 0 to 1 (other vendors' scale goes to 2)"
        )
    if sampling.max_tokens is not None and sampling.max_tokens <= 0:
        raise InvalidRequest(f"max_tokens is {sampling.max_tokens}, it must be positive")
    missing = [name for name in _NO_WORD_FOR if getattr(sampling, name) is not None]
    if missing:
        raise Unsupported(f"YandexGPT has no {', '.join(missing)}: leave it out, or route such calls elsewhere")
    if sampling.stop and not cut_stops:
        raise Unsupported('YandexGPT has no stop sequences: set stop = "client" to have the answer cut on this side')


def check_tools(tools: Sequence[ToolDef]) -> None:
    """See that names are unique: calls and results are told apart by name.

    Raises:
        InvalidRequest: when they are not.
    """
    names = [tool.name for tool in tools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(f"several tools are called {', '.join(twice)}: names must be unique")


def check_said(messages: Sequence[Message]) -> None:
    """See that system and user say something in each message.

    Raises:
        InvalidRequest: when one is empty.
    """
    for index, message in enumerate(messages):
        if message.role in {Role.SYSTEM, Role.USER} and not any(
            part.text if isinstance(part, Text) else part for part in message.parts
        ):
            raise InvalidRequest(f"message {index} is empty, which YandexGPT refuses")


def check_text(text: str, what: str) -> str:
    """``text``, which the vendor takes.

    Raises:
        InvalidRequest: when it is empty.
        ContextTooLong: when it is longer than any model takes.
    """
    if not text:
        raise InvalidRequest(f"{what} is empty, which YandexGPT refuses")
    if len(text) > _MAX_TEXT:
        raise ContextTooLong(f"{what} has {len(text)} characters, YandexGPT takes {_MAX_TEXT} in one text")
    return text


def _options(request: ChatRequest, *, stream: bool, can_reason: bool | None) -> dict[str, Any]:
    options: dict[str, Any] = {"stream": stream}
    if request.sampling.temperature is not None:
        options["temperature"] = request.sampling.temperature
    if request.sampling.max_tokens is not None:
        options["maxTokens"] = str(request.sampling.max_tokens)
    mode = _reasoning(request.reasoning, can_reason=can_reason)
    if mode:
        options["reasoningOptions"] = {"mode": mode}
    return options


def _reasoning(effort: ReasoningEffort | None, *, can_reason: bool | None) -> str | None:
    if effort is None:
        return None
    if effort == "off":
        return None if can_reason is False else "DISABLED"
    if can_reason is False:
        raise Unsupported("this model has no reasoning mode: leave reasoning out, or choose yandexgpt/latest")
    return "ENABLED_HIDDEN"  # there are no levels


def _messages(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    expected: tuple[ToolCall, ...] = ()
    results: dict[str, Message] = {}
    for index, message in enumerate(messages):
        if message.role is Role.TOOL:
            _collect(results, message, expected, index)
            continue
        if expected:
            yield _results(expected, results)
        expected, results = message.tool_calls, {}
        yield from _spoken(message, index)
    if expected:
        yield _results(expected, results)


def _spoken(message: Message, index: int) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if not isinstance(part, Text):
            raise Unsupported(f"message {index} holds a {type(part).__name__}: YandexGPT's own models read text only")
    calls = message.tool_calls
    if message.text or not calls:  # text and calls exclude one another on the wire: two messages then
        yield {"role": message.role.value, "text": check_text(message.text, f"message {index}")}
    if calls:
        listed = [{"functionCall": {"name": call.name, "arguments": _arguments(call)}} for call in calls]
        yield {"role": "assistant", "toolCallList": {"toolCalls": listed}}


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        return call.parsed()
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _collect(results: dict[str, Message], message: Message, expected: Iterable[ToolCall], index: int) -> None:
    wanted = message.tool_call_id
    if wanted is None or wanted not in {call.id for call in expected}:
        raise InvalidRequest(f"message {index} answers tool call {wanted!r}, which the message before did not make")
    if wanted in results:
        raise InvalidRequest(f"message {index} answers tool call {wanted!r} a second time")
    results[wanted] = message


def _results(expected: Sequence[ToolCall], results: Mapping[str, Message]) -> dict[str, Any]:
    """All results of one turn in the order of the calls: there are no ids, the order is what ties them together."""
    missing = [call.id for call in expected if call.id not in results]
    if missing:
        raise InvalidRequest(f"tool calls {', '.join(missing)} have no result: YandexGPT wants one for each, in order")
    listed = [{"functionResult": {"name": call.name, "content": results[call.id].text}} for call in expected]
    return {"role": "user", "toolResultList": {"toolResults": listed}}


def _function(tool: ToolDef) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": dict(tool.parameters)}
    if tool.description:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return function


def _choice(choice: ToolChoice) -> dict[str, Any]:
    return {"functionName": choice.name} if choice.mode == "named" else {"mode": choice.mode.upper()}


def _format(wanted: ResponseFormat) -> dict[str, Any]:
    if isinstance(wanted, JsonSchema):
        return {"jsonSchema": {"schema": dict(wanted.schema)}}
    if isinstance(wanted, JsonObject):
        return {"jsonObject": True}
    return {}


def _with_extra(body: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's own fields go in as they are; those of ``completionOptions`` join ours."""
    for name, value in extra.items():
        if name == "completionOptions" and isinstance(value, Mapping):
            body[name] = {**body[name], **value}
        else:
            body[name] = value
    return body
