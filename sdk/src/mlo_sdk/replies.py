"""Answers of a server: whole JSON documents, and bodies that are read as they come."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from types import AsyncGeneratorType
from typing import Any, cast

import anyio
import httpx
from attrs import field, frozen

from mlo.errors import ProtocolViolated

from .ndjson import NdjsonParser
from .settings import Timeouts
from .sse import SseEvent, SseParser
from .transport_errors import TRANSPORT_ERRORS, transport_failed

__all__ = ["JsonReply", "StreamReply", "decoded", "first_header", "read_body"]

_SAMPLE = 200
_DRAIN_SECONDS = 0.25


@frozen(kw_only=True)
class JsonReply:
    """A whole answer. ``data`` is the parsed body (``None`` for an empty one); header names are in lower case.

    Errors show no sample of a ``confidential`` one.
    """

    status: int
    data: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    request_id: str | None = None
    confidential: bool = False

    def mapping(self) -> dict[str, Any]:
        """``data``, which must be a JSON object.

        Raises:
            ProtocolViolated: when it is something else.
        """
        if isinstance(self.data, dict):
            return self.data
        raise ProtocolViolated(
            "expected a JSON object",
            sample="" if self.confidential else json.dumps(self.data, ensure_ascii=False)[:_SAMPLE],
            status=self.status,
            request_id=self.request_id,
        )


class StreamReply:
    """An answer whose body has still to be read, by exactly one of its methods, closed by ``HttpClient.stream``."""

    def __init__(self, response: httpx.Response, timeouts: Timeouts, request_id: str | None) -> None:
        self._response = response
        self._timeouts = timeouts
        self._pieces = cast("AsyncGeneratorType[bytes, None]", _pieces(response))
        self.request_id = request_id

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status_code

    @property
    def is_being_read(self) -> bool:
        """Whether some task waits for a piece of the body right now."""
        return self._pieces.ag_running

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names are looked up without regard to case."""
        return self._response.headers

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty if unsaid."""
        return str(self._response.headers.get("content-type", "")).partition(";")[0].strip().lower()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body in the pieces in which it arrives.

        Raises:
            TransportFailed: when it is cut, or silent for longer than ``timeouts.idle``.
        """
        try:
            async for piece in self._pieces:
                yield piece
        except TRANSPORT_ERRORS as error:
            raise transport_failed(error, self._timeouts, self._response.request.url, body=True) from error

    async def sse(self) -> AsyncGenerator[SseEvent, None]:
        """The body as server-sent events.

        Raises:
            TransportFailed: as for :meth:`chunks`.
            ProtocolViolated: when the body is HTML, or an event is absurdly large.
        """
        async with aclosing(self.sse_batches()) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def sse_batches(self) -> AsyncGenerator[list[SseEvent], None]:
        """Like :meth:`sse`, but all events that a piece of the body completes at once: cheaper, and never later."""
        self._refuse_html()
        parser = SseParser()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                if batch := parser.feed(chunk):
                    yield batch

    async def ndjson(self) -> AsyncGenerator[dict[str, Any], None]:
        """The body as JSON objects, one a line.

        Raises:
            TransportFailed: as for :meth:`chunks`, or when the last line is incomplete.
            ProtocolViolated: when a line is not a JSON object.
        """
        async with aclosing(self.ndjson_batches()) as batches:
            async for batch in batches:
                for document in batch:
                    yield document

    async def ndjson_batches(self) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The same, what arrived together in one list.

        Raises:
            TransportFailed: as for :meth:`ndjson`.
            ProtocolViolated: as for :meth:`ndjson`.
        """
        self._refuse_html()
        parser = NdjsonParser()
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                if documents := parser.feed(chunk):
                    yield documents
        if documents := parser.close():
            yield documents

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            TransportFailed: as for :meth:`chunks`.
        """
        return await read_body(self._response, self._timeouts)

    async def json(self) -> Any:
        """The whole body, which must be JSON.

        Raises:
            TransportFailed: as for :meth:`chunks`.
            ProtocolViolated: when it is not JSON.
        """
        return decoded(self._response, await self.body(), self.request_id)

    async def finish(self) -> None:
        """Read what follows the last event that matters, so that the connection can be used again.

        Waits a quarter of a second at most: then the connection is given up, not the answer.
        """
        with anyio.move_on_after(_DRAIN_SECONDS):
            with suppress(*TRANSPORT_ERRORS):  # the answer was complete before
                async for _ in self._pieces:
                    pass

    async def aclose(self) -> None:
        """Close the response, and its connection unless the body was read to its end.

        Another task that is reading meanwhile gets ``TransportFailed``.
        """
        if self.is_being_read:
            await self._response.aclose()
            return
        if not self._response.is_closed:
            # Dropping the half-read generators of httpx and httpcore would leave each to the garbage collector, which
            # trio reports. Reading on in a cancelled scope unwinds all of them at the next wait; httpcore then closes
            # the connection, unless all of the answer had arrived already.
            with anyio.CancelScope() as scope:
                scope.cancel()
                with suppress(*TRANSPORT_ERRORS):
                    async for _ in self._pieces:
                        pass
        await self._pieces.aclose()
        await self._response.aclose()

    def _refuse_html(self) -> None:
        if self.content_type == "text/html":
            raise ProtocolViolated(
                "the server answered with a web page (is base_url right?)",
                status=self.status,
                request_id=self.request_id,
            )


def first_header(response: httpx.Response, names: tuple[str, ...]) -> str | None:
    """The value of the first of ``names`` that the response has."""
    for name in names:
        if value := response.headers.get(name):
            return str(value)
    return None


async def read_body(response: httpx.Response, timeouts: Timeouts) -> bytes:
    """The whole body; the connection goes back to the pool.

    Raises:
        TransportFailed: when it is cut, or silent for too long.
    """
    try:
        return await response.aread()
    except TRANSPORT_ERRORS as error:
        raise transport_failed(error, timeouts, response.request.url, body=True) from error
    finally:
        if not response.is_closed:
            with anyio.CancelScope(shield=True):
                await response.aclose()


def decoded(response: httpx.Response, data: bytes, request_id: str | None, *, confidential: bool = False) -> Any:
    """The JSON value of a body; ``None`` for an empty one.

    Raises:
        ProtocolViolated: with a sample, unless it is ``confidential``, when it is not JSON.
    """
    if not data.strip():
        return None
    try:
        return json.loads(data.decode())
    except ValueError as error:
        kind = response.headers.get("content-type", "no content type")
        raise ProtocolViolated(
            f"expected JSON, got {kind}",
            sample="" if confidential else data[:_SAMPLE].decode("utf-8", "replace"),
            status=response.status_code,
            request_id=request_id,
        ) from (None if confidential else error)  # the cause holds the whole text


async def _pieces(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    async for piece in response.aiter_bytes():
        yield piece
