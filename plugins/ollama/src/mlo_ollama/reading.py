"""Answers from the wire: chunks to events, whole answers to responses. Pure.

The kernel's convention for usage is that of the server: ``prompt_eval_count`` counts the whole prompt, what came from
the cache included, ``eval_count`` all that was generated, thinking included. A count that is absent is unknown here:
servers leave out zeros, and old ones leave the prompt out when it came from their cache.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from mlo.errors import ProtocolViolated, TransportFailed
from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported, fold
from mlo.models import Money
from mlo.responses import ChatResponse, FinishReason, Usage

from .tool_choice import ForcedCall

__all__ = ["Reading", "objects_in", "response_of", "usage_of", "vectors_in"]

_SAMPLE = 200
_REASONS = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}
_COUNTERS = (
    "done_reason",
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
    "remote_model",
    "remote_host",
)


def usage_of(data: Mapping[str, Any], *, free: bool) -> Usage:
    """Token counts of the last object. ``free`` says that the tokens cost nothing; else the cost is unknown."""
    prompt, completion = _count(data, "prompt_eval_count"), _count(data, "eval_count")
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=_count(data, "prompt_eval_cached_count"),
        completion_tokens=completion,
        total_tokens=None if prompt is None or completion is None else prompt + completion,
        cost=Money(0) if free else None,
    )


def _count(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    return value if isinstance(value, int) else None


def objects_in(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The list of objects called ``name``; empty where it is absent or ``null``.

    Raises:
        ProtocolViolated: when it is something else.
    """
    found = data.get(name) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ProtocolViolated(f"`{name}` is not a list of objects", sample=str(found)[:_SAMPLE])
    return found


def vectors_in(data: Mapping[str, Any], count: int) -> tuple[tuple[float, ...], ...]:
    """The vectors of ``count`` texts.

    Raises:
        ProtocolViolated: when there are others.
    """
    try:
        vectors = tuple(tuple(map(float, vector)) for vector in data["embeddings"])
    except (LookupError, TypeError, ValueError) as error:
        raise ProtocolViolated("`embeddings` are not lists of numbers", sample=str(data)[:_SAMPLE]) from error
    if len(vectors) != count:
        raise ProtocolViolated(f"expected {count} vectors, got {len(vectors)}", sample=str(data)[:_SAMPLE])
    return vectors


def _text_in(message: Mapping[str, Any], name: str) -> str:
    found = message.get(name) or ""
    if not isinstance(found, str):
        raise ProtocolViolated(f"`{name}` is not a text", sample=str(found)[:_SAMPLE])
    return found


class Reading:
    """Reads one answer, chunk by chunk. ``done`` tells that it is complete."""

    def __init__(self, *, forced: ForcedCall | None = None, free: bool = True) -> None:
        self.done = False
        self.prompt_tokens: int | None = None
        self._forced, self._free = forced, free
        self._started = False
        self._ids: set[str] = set()
        self._text: list[str] = []
        self._logprobs: list[Any] = []

    def events(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        """The events of one object.

        Raises:
            ProtocolViolated: when it is not a chat chunk.
        """
        message = chunk.get("message")
        if not isinstance(message, dict):
            raise ProtocolViolated("a chunk without a message", sample=json.dumps(chunk, ensure_ascii=False)[:_SAMPLE])
        content = message.get("content")
        if (
            len(message) == 2
            and content.__class__ is str
            and content
            and self._started
            and not chunk.get("done")
            and self._forced is None
        ):
            self._keep_logprobs(chunk)
            return (TextDelta(content),)  # nearly all chunks are of this kind
        return self._others(chunk, message)

    def _others(self, chunk: Mapping[str, Any], message: Mapping[str, Any]) -> Sequence[Event]:
        found: list[Event] = []
        if not self._started:
            self._started = True
            found.append(Started(model=chunk.get("model")))
        self._keep_logprobs(chunk)
        if thinking := _text_in(message, "thinking"):
            found.append(ReasoningDelta(thinking))
        if content := _text_in(message, "content"):
            if self._forced is None:
                found.append(TextDelta(content))
            else:
                self._text.append(content)
        found.extend(self._call(call) for call in objects_in(message, "tool_calls"))
        if chunk.get("done"):
            found.extend(self._end(chunk))
        return found

    def _keep_logprobs(self, chunk: Mapping[str, Any]) -> None:
        if "logprobs" in chunk:
            self._logprobs.extend(objects_in(chunk, "logprobs"))

    def _call(self, call: Mapping[str, Any]) -> ToolCallDelta:
        function = call.get("function")
        if not isinstance(function, dict) or not function.get("name"):
            raise ProtocolViolated("a tool call without a name", sample=json.dumps(call, ensure_ascii=False)[:_SAMPLE])
        call_id = call.get("id")
        if not isinstance(call_id, str) or not call_id or call_id in self._ids:
            call_id = _new_id()  # older servers send none
        self._ids.add(call_id)
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
        return ToolCallDelta(index=len(self._ids) - 1, id=call_id, name=function["name"], arguments=text)

    def _end(self, chunk: Mapping[str, Any]) -> Sequence[Event]:
        self.done = True
        usage = usage_of(chunk, free=self._free)
        self.prompt_tokens = usage.prompt_tokens
        found: list[Event] = []
        if self._forced is not None:
            call = self._forced.read("".join(self._text), _new_id())
            self._ids.add(call.id)
            found.append(ToolCallDelta(index=0, id=call.id, name=call.name, arguments=call.arguments))
        raw = {name: chunk[name] for name in _COUNTERS if name in chunk}
        if self._logprobs:
            raw["logprobs"] = self._logprobs
        # tools do not change the server's reason, and older servers give none
        reason = _REASONS.get(str(chunk.get("done_reason") or "stop"), FinishReason.OTHER)
        if self._ids and reason is FinishReason.STOP:
            reason = FinishReason.TOOL_CALLS
        return (*found, UsageReported(usage), Finished(reason, raw))

    def check_done(self) -> None:
        """Say that the body has ended.

        Raises:
            TransportFailed: when the answer is not complete: the server gave up, or something on the way cut it.
        """
        if not self.done:
            raise TransportFailed("the stream ended without `done`: the answer is not complete")


def _new_id() -> str:
    return f"call_{secrets.token_hex(6)}"


def response_of(data: Mapping[str, Any], *, forced: ForcedCall | None = None, free: bool = True) -> ChatResponse:
    """The response of an unstreamed answer.

    Raises:
        ProtocolViolated: when it is not a complete chat answer.
    """
    reading = Reading(forced=forced, free=free)
    message = data.get("message")
    if not isinstance(message, dict) or not data.get("done"):
        raise ProtocolViolated("not a complete answer", sample=json.dumps(data, ensure_ascii=False)[:_SAMPLE])
    return fold(reading.events(data))
