"""Version 1 of the chat API: requests into JSON, whole answers and chunks out of it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlo.errors import ProtocolViolated
from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported
from mlo.messages import Message, Role
from mlo.models import Price
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse, FinishReason, Usage

from .choices import Tools, effort, output_format, sampling_fields
from .config import GigaChatConfig
from .history import Line, lines
from .reading import Reading, call_of, counted, decoded, finish_of
from .shortcut import TextShortcut
from .stop import StopCutter
from .wire import Wire, as_int, as_mapping, as_text, first

__all__ = ["ChunkReader", "request_body", "response_of"]


def request_body(request: ChatRequest, model: str, tools: Tools, config: GigaChatConfig, *, stream: bool) -> Wire:
    """The body of a chat request.

    Raises:
        InvalidRequest: for what no server would take.
        Unsupported: for what GigaChat does not have.
    """
    merge = config.system_messages == "merge"
    body: Wire = {
        **config.extra,
        "model": model,
        "messages": [_message(line) for line in lines(request.messages, merge_system=merge)],
        **sampling_fields(request, config),
    }
    if tools.functions or tools.builtins:
        body["functions"] = [*tools.functions, *({"name": name} for name in tools.builtins)]
        body["function_call"] = tools.choice if tools.choice in {"auto", "none"} else {"name": tools.choice}
    optional = {
        "response_format": output_format(request),
        "reasoning_effort": effort(request),
        "profanity_check": config.profanity_check,
        "update_interval": config.update_interval if stream else None,
        "stream": True if stream else None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def _message(line: Line) -> Wire:
    message: Wire = {"role": line.role, "content": line.text}
    if line.files:
        message["attachments"] = list(line.files)
    if line.role == "function":
        message["name"] = line.name
    elif line.name is not None:
        message["function_call"] = {"name": line.name, "arguments": line.arguments}
        if line.state:
            message["functions_state_id"] = line.state
    return message


def response_of(answer: Wire, reading: Reading) -> ChatResponse:
    """A whole answer.

    Raises:
        ProtocolViolated: when there is no message in it.
    """
    choice = first(answer.get("choices"))
    message = None if choice is None else choice.get("message")
    if choice is None or not isinstance(message, dict):
        raise ProtocolViolated("an answer without a message", sample=_sample(answer), request_id=reading.request_id)
    text, reason = as_text(message.get("content")), as_text(choice.get("finish_reason"))
    if reading.stop:
        cutter = StopCutter(reading.stop)
        text = cutter.feed(text) + cutter.rest()
        reason = "stop" if cutter.hit else reason
    call = message.get("function_call")
    calls = (call_of(call, message.get("functions_state_id"), reading),) if isinstance(call, dict) else ()
    return ChatResponse(
        message=Message(
            role=Role.ASSISTANT,
            content=text,
            tool_calls=calls,
            reasoning=as_text(message.get("reasoning_content")) or None,
        ),
        finish_reason=FinishReason.TOOL_CALLS if calls else finish_of(reason),
        usage=_usage(answer.get("usage"), reading.price),
        model=as_text(answer.get("model")) or None,
        request_id=reading.request_id,
        raw=_raw(reason, message),
    )


def _usage(value: object, price: Price | None) -> Usage:
    usage = as_mapping(value)
    prompt, completion = as_int(usage.get("prompt_tokens")), as_int(usage.get("completion_tokens"))
    return counted(prompt, as_int(usage.get("precached_prompt_tokens")), completion, price)


def _raw(reason: str, message: Wire) -> Wire:
    found = {"finish_reason": reason}
    if message.get("functions_state_id"):
        found["functions_state_id"] = message["functions_state_id"]
    return found


def _sample(answer: Wire) -> str:
    return json.dumps(answer, ensure_ascii=False)[:200]


class ChunkReader:
    """Reads the chunks of one stream. Feed it until :attr:`ended`; then :meth:`end` gives the last events.

    A stream is complete once a finish reason was seen, or ``[DONE]``; it is ended once nothing more can matter.
    """

    __slots__ = ("_calls", "_cutter", "_reading", "_reason", "_started", "_state", "_usage", "ended", "shortcut")

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._cutter = StopCutter(reading.stop) if reading.stop else None
        self._started = False
        self._reason: str | None = None
        self._state: str | None = None
        self._usage: object = None
        self._calls = 0
        self.shortcut = None if reading.stop else TextShortcut()
        self.ended = False

    @property
    def complete(self) -> bool:
        """Whether the answer is whole."""
        return self.ended or self._reason is not None

    def feed_text(self, data: str, event: str = "message", /) -> Sequence[Event]:
        """The events of one chunk as it came; version 1 names only errors.

        Raises:
            ProviderError: the failure that it is.
        """
        chunk = decoded(data, event, self._reading.request_id)
        if self.shortcut is not None:
            self.shortcut.learn(data, chunk)
        return self.feed(chunk)

    def feed(self, chunk: Wire) -> Sequence[Event]:
        """The events of one chunk.

        Raises:
            ProtocolViolated: for a function call without a name.
        """
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(model=as_text(chunk.get("model")) or None, request_id=self._reading.request_id))
        if chunk.get("usage") is not None:
            self._usage = chunk["usage"]
        choice = first(chunk.get("choices"))
        if choice is not None:
            self._read(choice, events)
        if self._reason is not None and self._usage is not None:
            self.ended = True
        return events

    def done(self) -> None:
        """The server said ``[DONE]``."""
        self.ended = True

    def _read(self, choice: Wire, events: list[Event]) -> None:
        delta = as_mapping(choice.get("delta"))
        reason = choice.get("finish_reason")
        if reason:
            self._reason = as_text(reason)
        if delta.get("role") == "function_in_progress":  # its content is a countdown, not text
            return
        if thought := delta.get("reasoning_content"):
            events.append(ReasoningDelta(as_text(thought)))
        text = delta.get("content")
        if text and (shown := self._shown(as_text(text))):
            events.append(TextDelta(shown))
        self._state = as_text(delta.get("functions_state_id")) or self._state
        call = delta.get("function_call")
        if isinstance(call, dict):
            events.append(self._call(call))

    def _shown(self, text: str) -> str:
        if self._cutter is None:
            return text
        shown = self._cutter.feed(text)
        if self._cutter.hit:
            self._reason, self.ended = "stop", True
        return shown

    def _call(self, wire: Wire) -> Event:
        call = call_of(wire, self._state, self._reading)
        index, self._calls = self._calls, self._calls + 1
        return ToolCallDelta(index=index, id=call.id, name=call.name, arguments=call.arguments)

    def end(self) -> Sequence[Event]:
        """What comes after the last chunk."""
        events: list[Event] = []
        if not self._started:
            events.append(Started(request_id=self._reading.request_id))
        if self._cutter is not None and (rest := self._cutter.rest()):
            events.append(TextDelta(rest))
        events.append(UsageReported(_usage(self._usage, self._reading.price)))
        reason = self._reason or ""
        finish = FinishReason.TOOL_CALLS if self._calls else finish_of(reason)
        raw = {"finish_reason": reason, **({"functions_state_id": self._state} if self._state else {})}
        events.append(Finished(finish, raw))
        return events
