"""Sends answers: plain ones, and those that take their time and notice when the client leaves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import anyio
import anyio.lowlevel
from attrs import frozen
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mlo_emulators.journal import Journal
from mlo_emulators.server import connection

from .options import Options
from .wire import Refused, dumps, line

__all__ = ["NATIVE", "Faults", "Framing", "Slow", "json_reply", "refusal"]

_PAGE = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)


def json_reply(value: Any, status: int = 200) -> Response:
    """A JSON answer as the server sends it."""
    return Response(dumps(value), status, media_type="application/json; charset=utf-8")


def refusal(error: Refused) -> Response:
    """An error answer."""
    return json_reply(error.body, error.status)


@frozen(kw_only=True)
class Framing:
    """How objects become bytes on one side of the server."""

    media_type: bytes
    frame: Callable[[Any], bytes]
    end: bytes
    refusal: Callable[[Refused], Any]


NATIVE = Framing(media_type=b"application/x-ndjson", frame=line, end=b"", refusal=lambda error: error.body)


@frozen(kw_only=True)
class Faults:
    """The faults that this one generation meets."""

    cut: int | None = None
    error_line: int | None = None
    reset: int | None = None
    status: int | None = None
    html: bool = False
    hang: bool = False

    @classmethod
    def of(cls, options: Options) -> Faults:
        """The faults that the options switch on."""
        return cls(
            cut=options.cut,
            error_line=options.error_line,
            reset=options.reset,
            status=options.status,
            html=options.html,
            hang=options.hang,
        )


class Slow(Response):
    """An answer that is made while it is sent.

    Nothing goes out before the first object exists: neither a status nor headers. The work stops when the client
    closes the connection. Journal: ``chunks``, ``cancelled``.
    """

    def __init__(
        self,
        objects: AsyncGenerator[dict[str, Any], None],
        *,
        merge: Callable[[list[dict[str, Any]]], dict[str, Any]] | None,
        faults: Faults,
        wire_chunk: int | None,
        journal: Journal,
        framing: Framing = NATIVE,
    ) -> None:
        super().__init__()
        self._framing = framing
        self._objects, self._merge, self._faults = objects, merge, faults
        self._wire_chunk, self._journal = wire_chunk, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or stop as soon as the client is gone."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, receive, group.cancel_scope)
            async with aclosing(self._objects):
                try:
                    await self._answer(scope, receive, send)
                except Refused as error:
                    await json_reply(self._framing.refusal(error), error.status)(scope, receive, send)
            group.cancel_scope.cancel()

    async def _watch(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._journal.count("cancelled")
        scope.cancel()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._faults.hang:
            await anyio.sleep_forever()
        if self._faults.html:
            await Response(_PAGE, 502, media_type="text/html")(scope, receive, send)
        elif self._faults.status is not None:
            raise _of_status(self._faults.status)
        elif self._merge is None:
            await self._stream(scope, send)
        else:
            objects = [each async for each in self._objects]
            self._journal.count("chunks", len(objects))
            await json_reply(self._merge(objects))(scope, receive, send)

    async def _stream(self, scope: Scope, send: Send) -> None:
        sent = 0
        async for each in self._objects:
            if sent == 0:
                await self._start(send)
            if await self._broken(sent, scope, send):
                return
            self._journal.count("chunks")
            await self._send(self._framing.frame(each), send)
            sent += 1
        await send({"type": "http.response.body", "body": self._framing.end})

    async def _start(self, send: Send) -> None:
        headers = [(b"content-type", self._framing.media_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _broken(self, sent: int, scope: Scope, send: Send) -> bool:
        if sent == self._faults.reset and (found := connection(scope)) is not None:
            await anyio.sleep(0.02)  # let what is sent leave the buffer
            found.abort()
            return True
        if sent == self._faults.error_line:
            error = Refused(500, "an error was encountered while running the model: unexpected EOF")
            await send({"type": "http.response.body", "body": self._framing.frame(self._framing.refusal(error))})
            return True
        if sent == self._faults.cut:
            await send({"type": "http.response.body", "body": b""})
            return True
        return False

    async def _send(self, data: bytes, send: Send) -> None:
        step = self._wire_chunk or len(data)
        for start in range(0, len(data), step):
            await send({"type": "http.response.body", "body": data[start : start + step], "more_body": True})
            await anyio.lowlevel.checkpoint()  # the loop must see a client that leaves


def _of_status(status: int) -> Refused:
    texts = {
        401: "unauthorized",
        429: "you have reached your hourly usage limit",
        500: "an error was encountered while running the model: CUDA error: out of memory",
        503: "server busy, please try again.  maximum pending requests exceeded",
    }
    return Refused(status, texts.get(status, f"emulated failure {status}"))
