"""Version 2 of the chat API: requests into JSON, whole answers and named events out of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mlo.errors import ProtocolViolated
from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported, fold
from mlo.models import Price
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse, FinishReason, Usage

from .choices import Tools, effort, output_format, sampling_fields
from .config import GigaChatConfig
from .history import Line, lines
from .reading import Reading, call_of, counted, decoded, finish_of
from .shortcut import TextShortcut
from .stop import StopCutter
from .wire import Wire, as_int, as_mapping, as_objects, as_text

__all__ = ["ChunkReader", "request_body", "response_of"]

_BUILTINS = {"text2image": "image_generate", "text2model3d": "model_3d_generate"}
_DONE = "response.message.done"
_STATES = ("tool_state_id", "tools_state_id", "functions_state_id")


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
        "messages": [_message(line, config) for line in lines(request.messages, merge_system=merge)],
    }
    if options := _model_options(request, config, stream=stream):
        body["model_options"] = {**as_mapping(config.extra.get("model_options")), **options}
    if listed := _tools(tools):
        body |= {"tools": listed, "tool_config": _tool_config(tools.choice)}
    if config.profanity_check is not None:
        body["disable_filter"] = not config.profanity_check
    if stream:
        body["stream"] = True
    return body


def _message(line: Line, config: GigaChatConfig) -> Wire:
    role: str = line.role
    parts: list[Wire] = [{"text": line.text}] if line.text else []
    if line.role == "function":
        role, parts = config.tool_role, [{"function_result": {"name": line.name, "result": line.text}}]
    elif line.name is not None:
        parts.append({"function_call": {"name": line.name, "arguments": line.arguments}})
    if line.files:
        parts.append({"files": [{"id": file} for file in line.files]})
    message: Wire = {"role": role, "content": parts or [{"text": ""}]}
    return message | {"tools_state_id": line.state} if line.state else message


def _model_options(request: ChatRequest, config: GigaChatConfig, *, stream: bool) -> Wire:
    wanted = effort(request)
    options = {
        **sampling_fields(request, config),
        "response_format": output_format(request),
        "reasoning": None if wanted is None else {"effort": wanted},
        "update_interval": config.update_interval if stream else None,
    }
    return {name: value for name, value in options.items() if value is not None}


def _tools(tools: Tools) -> list[Wire]:
    listed: list[Wire] = [{_BUILTINS.get(name, name): {}} for name in tools.builtins]
    if tools.functions:
        listed.append({"functions": {"specifications": list(tools.functions)}})
    return listed


def _tool_config(choice: str | None) -> Wire:
    if choice in {None, "auto", "none"}:
        return {"mode": choice or "auto"}
    return {"mode": "forced", "function_name": choice}


def response_of(answer: Wire, reading: Reading) -> ChatResponse:
    """A whole answer: what its messages would be as a stream of one event, added up.

    Raises:
        ProtocolViolated: when there is no message in it.
    """
    if not isinstance(answer.get("messages"), list):
        sample = json.dumps(answer, ensure_ascii=False)[:200]
        raise ProtocolViolated("an answer without messages", sample=sample, request_id=reading.request_id)
    reader = ChunkReader(reading)
    return fold([*reader.feed(answer, _DONE), *reader.end()])


def _usage(value: object, price: Price | None) -> Usage:
    usage = as_mapping(value)
    details = as_mapping(usage.get("input_tokens_details"))
    whole, cached = as_int(usage.get("input_tokens")), as_int(details.get("cached_tokens"))
    fresh = None if whole is None else whole - (cached or 0)
    return counted(fresh, cached, as_int(usage.get("output_tokens")), price)


class ChunkReader:
    """Reads the events of one stream. Feed it until :attr:`ended`; then :meth:`end` gives the last events.

    There is no ``[DONE]`` in version 2: the event ``response.message.done`` ends the answer.
    """

    __slots__ = ("_calls", "_cutter", "_reading", "_reason", "_started", "_state", "_usage", "ended", "shortcut")

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._cutter = StopCutter(reading.stop) if reading.stop else None
        self._started = False
        self._reason: str | None = None
        self._state: str | None = None
        self._usage: object = None
        self._calls: list[str] = []
        self.shortcut: TextShortcut | None = None  # its frames have a name in front
        self.ended = False

    @property
    def complete(self) -> bool:
        """Whether the answer is whole."""
        return self.ended

    def feed_text(self, data: str, event: str = "message", /) -> Sequence[Event]:
        """The events of one server-sent event as it came.

        Raises:
            ProviderError: the failure that it is.
        """
        return self.feed(decoded(data, event, self._reading.request_id), event)

    def feed(self, chunk: Wire, event: str = "message", /) -> Sequence[Event]:
        """The events of one server-sent event; its name may be missing.

        Raises:
            ProtocolViolated: for a function call without a name.
        """
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(model=as_text(chunk.get("model")) or None, request_id=self._reading.request_id))
        is_last = event == _DONE or bool(chunk.get("finish_reason"))
        self._state = _state(chunk) or self._state
        for message in as_objects(chunk.get("messages")):
            events.extend(self._message(message, is_last=is_last))
        if is_last:
            self._reason = self._reason or as_text(chunk.get("finish_reason"))
            self._usage = chunk.get("usage")
            self.ended = True
        return events

    def done(self) -> None:
        """The server said ``[DONE]``, which it does not do in version 2."""

    def _message(self, message: Wire, *, is_last: bool) -> Iterator[Event]:
        self._state = _state(message) or self._state
        thinks = message.get("role") == "reasoning"
        before = len(self._calls)
        for part in as_objects(message.get("content")):
            if text := as_text(part.get("text")):
                yield from (ReasoningDelta(text),) if thinks else self._text(text)
            for file in as_objects(part.get("files")):
                yield from self._text(f'<img src="{as_text(file.get("id"))}" fuse="true"/>')
            call = part.get("function_call")
            if isinstance(call, dict) and not (is_last and self._told(call, before)):
                yield self._call(call)

    def _text(self, text: str) -> Iterator[Event]:
        if self._cutter is not None:
            text = self._cutter.feed(text)
            if self._cutter.hit:
                self._reason, self.ended = "stop", True
        if text:
            yield TextDelta(text)

    def _told(self, call: Wire, before: int) -> bool:
        """Whether the last event repeats a call that came as a delta."""
        return _identity(call) in self._calls[:before]

    def _call(self, wire: Wire) -> Event:
        call = call_of(wire, self._state, self._reading)
        self._calls.append(_identity(wire))
        return ToolCallDelta(index=len(self._calls) - 1, id=call.id, name=call.name, arguments=call.arguments)

    def end(self) -> Sequence[Event]:
        """What comes after the last event."""
        events: list[Event] = [] if self._started else [Started(request_id=self._reading.request_id)]
        if self._cutter is not None and (rest := self._cutter.rest()):
            events.append(TextDelta(rest))
        events.append(UsageReported(_usage(self._usage, self._reading.price)))
        reason = self._reason or ""
        finish = FinishReason.TOOL_CALLS if self._calls else finish_of(reason)
        raw = {"finish_reason": reason, **({"tools_state_id": self._state} if self._state else {})}
        events.append(Finished(finish, raw))
        return events


def _state(holder: Wire) -> str:
    return next((text for name in _STATES if (text := as_text(holder.get(name)))), "")


def _identity(call: Wire) -> str:
    shown: dict[str, Any] = {"name": call.get("name"), "arguments": call.get("arguments"), "id": call.get("id")}
    return json.dumps(shown, sort_keys=True, default=str)
