"""Streams as the server writes them, and how the plugin reads them without a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mlo.events import Event
from mlo_emulators.ollama.wire import line
from mlo_ollama.reading import Reading
from mlo_sdk.ndjson import NdjsonParser

DONE = {
    "model": "tiny",
    "created_at": "2026-08-21T10:00:00.123456789Z",
    "message": {"role": "assistant", "content": ""},
    "done": True,
    "done_reason": "stop",
    "total_duration": 900_000_000,
    "prompt_eval_count": 11,
    "eval_count": 5,
}


def piece(content: str = "", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    return {"model": "tiny", "created_at": "2026-08-21T10:00:00.1Z", "message": message, "done": False}


def body(*objects: dict[str, Any]) -> bytes:
    return b"".join(map(line, objects))


CALL = {"id": "call_ab12cd34", "function": {"index": 0, "name": "add", "arguments": {"a": 1, "b": "два"}}}
SAMPLES = (
    body(piece("При"), piece("вет, <мир>\u2028и\x85все"), DONE),
    body(piece(thinking="ду"), piece(thinking="маю"), piece("да"), DONE),
    body(piece(tool_calls=[CALL]), DONE),
)


def parsed(chunks: Iterable[bytes]) -> Sequence[Event]:
    """The events of a body that arrives in ``chunks``."""
    parser, reading = NdjsonParser(), Reading()
    events: list[Event] = []
    for chunk in chunks:
        for document in parser.feed(chunk):
            events.extend(reading.events(document))
    for document in parser.close():
        events.extend(reading.events(document))
    reading.check_done()
    return events
