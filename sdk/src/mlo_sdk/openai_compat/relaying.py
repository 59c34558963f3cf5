"""A client's own bytes to the server, and the server's to the client."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from mlo.errors import ProtocolViolated, ProviderError, TransportFailed
from mlo.models import Capability
from mlo.relay import Relayed, RelayRequest, RelaySummary
from mlo_sdk.http import HttpClient
from mlo_sdk.passing import PassedReply
from mlo_sdk.sse import SseParser

from .dialect import Dialect
from .tail import StreamTail, frames_of, is_done, is_odd, summary_of, whole_frames
from .wire import Wire, list_of_mappings, mapping

__all__ = ["WIRE", "ChatRelay", "RelayedChat"]

WIRE: Final = "openai.chat"
_MOST_FRAME_BYTES: Final = 16 * 2**20
_SAMPLE: Final = 200
_PLAIN = Dialect()
_TOKENS = "max_completion_tokens"

Fail = Callable[[object, str | None], ProviderError]


class ChatRelay:
    """Sends chat completions of clients over ``client`` to a server with that dialect."""

    def __init__(self, client: HttpClient, dialect: Dialect) -> None:
        self._client = client
        self._dialect = dialect
        names = {*_PLAIN.sampling.values(), _TOKENS}
        self._foreign = frozenset(name for name in names if name not in dialect.sampling.values())
        if dict(dialect.reasoning) != dict(_PLAIN.reasoning):
            self._foreign |= {"reasoning_effort"}
        if dialect.tool_choices < _PLAIN.tool_choices:
            self._foreign |= {"tool_choice"}
        if dialect.unique_call_ids:
            self._foreign |= {"tools"}
        if dialect.json_schema != _PLAIN.json_schema or not dialect.json_object:
            self._foreign |= {"response_format"}
        unknown = {Capability.VISION: dialect.images, Capability.FILES: dialect.files}
        self._lacks = frozenset(capability for capability, known in unknown.items() if not known)

    def takes(self, request: RelayRequest) -> bool:
        """Whether the server understands the request as it is: nothing in it that this dialect says differently."""
        if request.wire != WIRE or not self._foreign.isdisjoint(request.document):
            return False
        return self._lacks.isdisjoint(request.chat.needs())

    async def whole(
        self, request: RelayRequest, model: str, headers: Mapping[str, str], deadline: float | None = None
    ) -> Relayed:
        """The whole answer. ``deadline`` is that of the scope around this.

        Raises:
            ProviderError: as the dialect's error table says.
        """
        content = request.body(self._changes(request, model))
        reply = await self._client.passed(self._dialect.chat_path, content, headers, deadline=deadline)
        body = await reply.read()
        if is_odd(body):
            self._look_at(body, reply)
        return Relayed(
            body=body,
            content_type=reply.content_type or "application/json",
            status=reply.status,
            summary=summary_of(body, reply.request_id),
        )

    async def stream(
        self, request: RelayRequest, model: str, headers: Mapping[str, str], deadline: float | None = None
    ) -> RelayedChat:
        """The answer as it comes. ``deadline`` is that of the scope around this, and bounds the reading later.

        Raises:
            ProviderError: as the dialect's error table says.
        """
        counted = self._dialect.stream_usage and not request.wants_usage
        changes = self._changes(request, model)
        if counted:
            asked = request.document.get("stream_options")
            changes["stream_options"] = {**(asked if isinstance(asked, dict) else {}), "include_usage": True}
        headers = {"accept": "text/event-stream", **headers}
        content = request.body(changes)
        reply = await self._client.passed(self._dialect.chat_path, content, headers, deadline=deadline)
        relayed = RelayedChat(reply, StreamTail(withhold=counted), self._failure, needs_done=self._dialect.needs_done)
        kind = reply.content_type.partition(";")[0].strip().lower()
        if kind in {"application/json", "text/html"}:  # no stream, an error with status 200, or a web page
            relayed.give(_as_frames(self._look_at(await reply.read(), reply)))
        relayed.is_bounded = reply.leave_scope(deadline)
        return relayed

    def _changes(self, request: RelayRequest, model: str) -> dict[str, Any]:
        added = {key: value for key, value in self._dialect.extra.items() if key not in request.document}
        return {**added, "model": model}

    def _look_at(self, body: bytes, reply: PassedReply) -> Wire:
        """The answer parsed, because something about it is odd.

        Raises:
            ProtocolViolated: when it is no answer.
            ProviderError: when it is an error.
        """
        sample = body[:_SAMPLE].decode("utf-8", "replace")
        try:
            answer = json.loads(body)
        except ValueError as error:
            reason = f"expected JSON, got {reply.content_type or 'no content type'}"
            raise ProtocolViolated(reason, sample=sample, status=reply.status, request_id=reply.request_id) from error
        found: Wire = answer if isinstance(answer, dict) else {}
        if found.get("error") and not found.get("choices"):
            raise self._client.failure(
                found, status=None if reply.status == 200 else reply.status, request_id=reply.request_id
            )
        if next(list_of_mappings(found, "choices"), None) is None:
            raise ProtocolViolated("the answer has no choices", sample=sample, request_id=reply.request_id)
        return found

    def _failure(self, data: object, request_id: str | None) -> ProviderError:
        return self._client.failure(data, request_id=request_id)


class RelayedChat:
    """A streamed answer on its way: whole frames, from the first that says something to the last."""

    __slots__ = (
        "_done",
        "_error",
        "_fail",
        "_needs_done",
        "_over",
        "_ready",
        "_reply",
        "_rest",
        "_spoken",
        "_tail",
        "is_bounded",
    )

    def __init__(self, reply: PassedReply, tail: StreamTail, fail: Fail, *, needs_done: bool) -> None:
        self._reply = reply
        self._tail = tail
        self._fail = fail
        self._needs_done = needs_done
        self.is_bounded = False
        self._rest = b""
        self._ready = b""
        self._done = False
        self._over = False
        self._spoken = False
        self._error: ProviderError | None = None

    @property
    def content_type(self) -> str:
        """The media type; a server that did not stream has been put into frames."""
        said = self._reply.content_type
        return said if said.startswith("text/event-stream") else "text/event-stream; charset=utf-8"

    def give(self, frames: bytes) -> None:
        """Frames that are there already, and all of them."""
        self._ready, self._done = frames, True

    async def receive(self) -> bytes:
        """The next whole frames; none at the end.

        Raises:
            TransportFailed: when the stream ends before the answer does.
            ProviderError: when the server says in the stream that it failed.
        """
        while True:
            if self._error is not None:
                raise self._error
            if self._ready:
                data, self._ready = self._ready, b""
            elif self._over:
                return b""
            elif self._done:
                await self._reply.finish()
                self._over = True
                return b""
            else:
                data = await self._next()
            if data:
                passed = self._tail.pass_through(data)
                if passed:
                    return passed

    async def _next(self) -> bytes:
        """What has come, up to the end of a frame."""
        try:
            data = await self._reply.receive()
        except TransportFailed:
            if not self._is_complete():
                raise
            data = b""
        if not data:
            return self._ended()
        if self._rest:
            data, self._rest = self._rest + data, b""
        size = whole_frames(data)
        if size < len(data):
            data, self._rest = data[:size], data[size:]
            if len(self._rest) > _MOST_FRAME_BYTES:
                raise ProtocolViolated(
                    f"one server-sent event is larger than {_MOST_FRAME_BYTES} bytes",
                    sample=self._rest[:80].decode("utf-8", "replace"),
                    request_id=self._reply.request_id,
                )
        data = self._up_to_error(data)
        self._done = is_done(data)
        if not self._spoken:
            self._spoken = b"data:" in data
            if not self._spoken:
                return b""  # a comment that keeps the connection alive commits nobody
        return data

    def _ended(self) -> bytes:
        self._over = True
        rest = self._up_to_error(_last_frame(self._rest))
        if self._error is not None or is_done(rest) or self._is_complete(rest):
            return rest
        self._error = TransportFailed("the stream ended before the answer did", request_id=self._reply.request_id)
        return b""

    def _is_complete(self, rest: bytes = b"") -> bool:
        return not self._needs_done and self._tail.has_reason(rest)

    def _up_to_error(self, data: bytes) -> bytes:
        """The frames before one that is an error, or all if none is: it is told once, by raising it."""
        if b'"error"' not in data and b"event:" not in data:
            return data
        start = 0
        for frame in frames_of(data):
            for event in SseParser().feed(frame):
                found = _error_in(event.data, named=event.event == "error")
                if found is not None:
                    self._error = self._fail(found, self._reply.request_id)
                    return data[:start]
            start += len(frame)
        return data

    def summary(self) -> RelaySummary:
        """See :meth:`mlo.relay.RelaySource.summary`."""
        return self._tail.summary(self._reply.request_id)

    async def aclose(self) -> None:
        """See :meth:`mlo.relay.RelaySource.aclose`."""
        await self._reply.aclose()


def _last_frame(rest: bytes) -> bytes:
    """What the stream ended with, and the blank line that it lacks; nothing where it is cut inside of a frame."""
    frame = rest + b"\n\n" if rest else b""
    try:
        for event in SseParser().feed(frame):
            if event.data != "[DONE]" and event.event != "error":
                json.loads(event.data)
    except ValueError:
        return b""
    return frame


def _error_in(text: str, *, named: bool) -> object:
    try:
        data = json.loads(text)
    except ValueError:
        return text if named else None
    return data if named or (isinstance(data, dict) and data.get("error")) else None


def _as_frames(answer: Wire) -> bytes:
    """A whole answer as a stream would have said it."""
    choices = []
    for choice in list_of_mappings(answer, "choices"):
        message = dict(mapping(choice, "message"))
        if isinstance(message.get("tool_calls"), list):
            calls = list_of_mappings(message, "tool_calls")
            message["tool_calls"] = [{"index": index, **call} for index, call in enumerate(calls)]
        choices.append({**{key: choice[key] for key in choice if key != "message"}, "delta": message})
    chunk = {**answer, "object": "chat.completion.chunk", "choices": choices}
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\ndata: [DONE]\n\n".encode()
