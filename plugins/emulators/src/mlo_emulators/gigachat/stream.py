"""Server-sent events, and all the ways in which they go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from attrs import frozen
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mlo_emulators.journal import Journal
from mlo_emulators.server import connection

from .options import Options

__all__ = ["EventStream", "Script", "frame", "script"]


@frozen(kw_only=True)
class Script:
    """What goes out: pieces in order, ``pause`` seconds apart, and then the end, which may be a cut."""

    pieces: tuple[bytes, ...]
    pause: float = 0.0
    cut: bool = False
    reset: bool = False


def frame(data: Mapping[str, Any], event: str | None = None) -> bytes:
    """One event, byte for byte as the service writes it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode()


def script(frames: Sequence[bytes], options: Options) -> Script:
    """Apply the faults of ``options`` to a stream that would be ``frames``."""
    shown = list(frames)
    if options.stream_error != "none":
        shown = [*shown[: options.stream_error_after], _error(options.stream_error)]
    if options.end_after_chunks is not None:
        shown = shown[: options.end_after_chunks]
    cut = options.cut_after_bytes is not None and options.cut_after_bytes < sum(map(len, shown))
    if options.cut_after_bytes is not None or options.split:
        body = b"".join(shown)[: options.cut_after_bytes]
        size = options.split or max(len(body), 1)
        shown = [body[start : start + size] for start in range(0, len(body), size)]
    return Script(pieces=tuple(shown), pause=options.trickle, cut=cut, reset=options.cut_hard)


def _error(form: str) -> bytes:
    body = {"status": 500, "message": "Internal Server Error"}
    if form == "openai":
        return frame({"error": {"message": body["message"], "type": "server_error", "code": 500}})
    return frame(body, "error" if form == "event" else None)


class EventStream(Response):
    """Plays a script; ``on_end`` is called once, however the stream ends."""

    def __init__(
        self, played: Script, journal: Journal, on_end: Callable[[], None], headers: Mapping[str, str]
    ) -> None:
        self._script, self._journal, self._on_end = played, journal, on_end
        self.status_code = 200
        self.background = None
        self.init_headers({**headers, "Content-Type": "text/event-stream"})
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything, unless the client leaves before."""
        try:
            if self._script.pause:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_watch, receive, tasks.cancel_scope)
                    await self._play(scope, send)
                    tasks.cancel_scope.cancel()
            else:
                await self._play(scope, send)
        finally:
            self._on_end()

    async def _play(self, scope: Scope, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for number, piece in enumerate(self._script.pieces):
            if number and self._script.pause:
                await anyio.sleep(self._script.pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not self._script.cut:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        self._journal.count("streams cut")
        if (line := connection(scope)) is not None:
            if self._script.reset:
                line.abort()
            else:
                line.close()


async def _watch(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
