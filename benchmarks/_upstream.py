"""A provider that answers at once, for measuring what stands in front of it: raw protocols, no HTTP library.

``python _upstream.py PORT`` speaks OpenAI's wire, GigaChat's (below ``/giga``), YandexGPT's and Ollama's. Answers are
fixed bytes. A stream has fifty pieces of text, each a chunk of its own, sent in one go; below ``/paced`` it sends a
piece every twenty milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator

import uvloop

EVENTS = 50
PACE = 0.02
_USAGE = {"prompt_tokens": 10, "completion_tokens": 50, "total_tokens": 60}
_COMMON = {"id": "chatcmpl-1", "created": 1, "model": "m"}
_WORD = "слово "


def _head(kind: str, length: int | None = None) -> bytes:
    body = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{body}\r\n\r\n".encode()


def _compact(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()  # as the vendors' servers write it


def _whole(document: object) -> bytes:
    body = _compact(document)
    return _head("application/json", len(body)) + body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _sse(documents: Iterator[object]) -> list[bytes]:
    events = [b"data: " + _compact(each) + b"\n\n" for each in documents]
    return [*map(_chunk, [*events, b"data: [DONE]\n\n"]), b"0\r\n\r\n"]


def _lines(documents: Iterator[object]) -> list[bytes]:
    events = [_compact(each) + b"\n" for each in documents]
    return [*map(_chunk, events), b"0\r\n\r\n"]


def _openai(*, usage: bool) -> Iterator[object]:
    common = {**_COMMON, "object": "chat.completion.chunk"}
    for _ in range(EVENTS):
        yield {**common, "choices": [{"index": 0, "delta": {"content": _WORD}, "finish_reason": None}]}
    yield {**common, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if usage:
        yield {**common, "choices": [], "usage": _USAGE}


def _gigachat() -> Iterator[object]:
    common = {"created": 1, "model": "GigaChat-2:2.0", "object": "chat.completion"}
    for number in range(EVENTS):
        role = {} if number else {"role": "assistant"}
        yield {"choices": [{"delta": {"content": _WORD, **role}, "index": 0}], **common}
    last = {"delta": {"content": ""}, "index": 0, "finish_reason": "stop"}
    yield {"choices": [last], "usage": {**_USAGE, "precached_prompt_tokens": 0}, **common}


def _ollama() -> Iterator[object]:
    common = {"model": "m", "created_at": "2026-01-01T00:00:00Z"}
    for _ in range(EVENTS):
        yield {**common, "message": {"role": "assistant", "content": _WORD}, "done": False}
    message = {"role": "assistant", "content": ""}
    yield {**common, "message": message, "done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 50}


def _yandex() -> Iterator[object]:
    usage = {"inputTextTokens": "10", "completionTokens": "50", "totalTokens": "60"}
    for number in range(1, EVENTS + 1):
        status = "ALTERNATIVE_STATUS_FINAL" if number == EVENTS else "ALTERNATIVE_STATUS_PARTIAL"
        alternative = {"message": {"role": "assistant", "text": _WORD * number}, "status": status}
        yield {"result": {"alternatives": [alternative], "usage": usage, "modelVersion": "1"}}


_CHOICES = [{"index": 0, "message": {"role": "assistant", "content": _WORD * 10}, "finish_reason": "stop"}]
WHOLE = _whole({**_COMMON, "object": "chat.completion", "choices": _CHOICES, "usage": _USAGE})
MODELS = _whole({"object": "list", "data": [{"id": "m", "object": "model"}]})
STREAMS = {
    b"/v1/chat": (_head("text/event-stream"), _sse(_openai(usage=False))),
    b"/paced/v": (_head("text/event-stream"), _sse(_openai(usage=False))),
    b"/giga/v1": (_head("text/event-stream"), _sse(_gigachat())),
    b"/api/cha": (_head("application/x-ndjson"), _lines(_ollama())),
    b"/foundat": (_head("application/json"), _lines(_yandex())),
}
_AT_ONCE = {path: head + b"".join(pieces) for path, (head, pieces) in STREAMS.items()}
_WITH_USAGE = _head("text/event-stream") + b"".join(_sse(_openai(usage=True)))


class Provider(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end].lower()
            _, found, rest = head.partition(b"content-length:")
            length = int(rest.partition(b"\r\n")[0]) if found else 0
            if len(self.data) < end + 4 + length:
                return
            body, self.data = self.data[end + 4 : end + 4 + length], self.data[end + 4 + length :]
            self.answer(head[head.index(b" ") + 1 :][:8], body)

    def answer(self, path: bytes, body: bytes) -> None:
        """Write what the path gives."""
        streamed = b'"stream":true' in body or b'"stream": true' in body or path == b"/foundat"
        if not body:
            self.transport.write(MODELS)  # type: ignore[attr-defined]  # a TCP transport
        elif not streamed:
            self.transport.write(WHOLE)  # type: ignore[attr-defined]
        elif path == b"/paced/v":
            head, pieces = STREAMS[path]
            self.transport.write(head)  # type: ignore[attr-defined]
            self.pace(iter(pieces))
        elif b'"include_usage"' in body:
            self.transport.write(_WITH_USAGE)  # type: ignore[attr-defined]
        else:
            self.transport.write(_AT_ONCE.get(path, _AT_ONCE[b"/v1/chat"]))  # type: ignore[attr-defined]

    def pace(self, pieces: Iterator[bytes]) -> None:
        """One piece now, the next one later."""
        piece = next(pieces, None)
        if piece is not None:
            self.transport.write(piece)  # type: ignore[attr-defined]
            asyncio.get_running_loop().call_later(PACE, self.pace, pieces)


async def main(port: int) -> None:
    """Serve until killed."""
    await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
