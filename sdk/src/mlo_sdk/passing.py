"""Bodies that go through as bytes: a request in, an answer out, neither of them parsed.

On the ``direct`` transport nothing of httpx is in between; others give the same with what they have.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import httpx

from mlo.errors import TransportFailed

from .replies import StreamReply, first_header
from .settings import Timeouts
from .transport_errors import TRANSPORT_ERRORS, transport_failed

if TYPE_CHECKING:
    from .direct import Exchange

__all__ = ["PassedReply", "as_response", "from_exchange", "from_reply", "illegal_header", "origin_of", "request_head"]

_DRAIN_SECONDS = 0.25
_LINES = re.compile(r"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\x00\r\n\x80-\U0010ffff]*\r\n)*")


class PassedReply:
    """An answer with a status of success, whose body is read piece by piece, and then closed."""

    __slots__ = ("_aclose", "_pieces", "_timeouts", "_url", "_waits", "content_type", "request_id", "status")

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        aclose: Callable[[], Awaitable[None]],
        *,
        status: int,
        content_type: str,
        request_id: str | None,
        timeouts: Timeouts,
        url: httpx.URL,
        waits: dict[str, float | None] | None = None,
    ) -> None:
        self._waits = waits
        self._pieces = pieces
        self._aclose = aclose
        self.status = status
        self.content_type = content_type
        self.request_id = request_id
        self._timeouts = timeouts
        self._url = url

    def leave_scope(self, deadline: float | None) -> bool:
        """From here on no scope of the caller's bounds the reading; whether it ends by the deadline all the same."""
        if self._waits is None:
            return False
        self._waits["within"] = None
        self._waits["until"] = deadline
        return True

    async def receive(self) -> bytes:
        """The next bytes of the body; none at its end.

        Raises:
            TransportFailed: when it is cut, or silent for longer than ``timeouts.idle``.
        """
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            return b""
        except TRANSPORT_ERRORS as error:
            raise transport_failed(error, self._timeouts, self._url, body=True) from error

    async def read(self) -> bytes:
        """The whole body; closes the reply.

        Raises:
            TransportFailed: as for :meth:`receive`.
        """
        try:
            first = await self.receive()
            if not first:
                return first
            second = await self.receive()
            if not second:
                return first
            pieces = [first, second]
            while piece := await self.receive():
                pieces.append(piece)
            return b"".join(pieces)
        finally:
            await self.aclose()

    async def finish(self) -> None:
        """Read what follows the last byte that matters, so that the connection can be used again; waits a little."""
        with anyio.move_on_after(_DRAIN_SECONDS):
            with suppress(TransportFailed):  # the answer was complete before
                while await self.receive():
                    pass

    async def aclose(self) -> None:
        """Close the connection unless the body was read to its end."""
        await self._aclose()


def from_exchange(
    exchange: Exchange,
    request_id_headers: tuple[str, ...],
    timeouts: Timeouts,
    url: httpx.URL,
    waits: dict[str, float | None],
) -> PassedReply:
    """The reply to an exchange on the direct transport, which is no further than its head."""
    head = exchange.head
    headers = {name.lower(): value for name, value in head.headers}
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":  # nobody asked for that
        response = as_response(exchange, url)
        return from_reply(StreamReply(response, timeouts, first_header(response, request_id_headers)), timeouts, url)
    found = (headers.get(name.encode()) for name in request_id_headers)
    request_id = next((value for value in found if value), None)
    return PassedReply(
        exchange,
        exchange.aclose,
        status=head.status,
        content_type=headers.get(b"content-type", b"").decode("latin-1"),
        request_id=None if request_id is None else request_id.decode("latin-1"),
        timeouts=timeouts,
        url=url,
        waits=waits,
    )


def as_response(exchange: Exchange, url: httpx.URL) -> httpx.Response:
    """The exchange as httpx has it."""
    head = exchange.head
    request = httpx.Request("POST", url)
    return httpx.Response(head.status, headers=list(head.headers), stream=exchange, request=request)


def from_reply(reply: StreamReply, timeouts: Timeouts, url: httpx.URL) -> PassedReply:
    """The same over an answer of any transport."""
    chunks = reply.chunks()

    async def aclose() -> None:
        if not reply.is_being_read:
            await chunks.aclose()
        await reply.aclose()

    return PassedReply(
        chunks,
        aclose,
        status=reply.status,
        content_type=reply.headers.get("content-type", ""),
        request_id=reply.request_id,
        timeouts=timeouts,
        url=url,
    )


def request_head(method: str, url: httpx.URL, headers: Mapping[str, str], size: int) -> bytes:
    """The head of a request with a body of that many bytes.

    Raises:
        TransportFailed: for a header that would break the request's form.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or _LINES.fullmatch(lines) is None:
        raise illegal_header()
    return b"%s %s HTTP/1.1\r\n%scontent-length: %d\r\n\r\n" % (method.encode(), url.raw_path, lines.encode(), size)


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host and port."""
    return url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)


def illegal_header() -> TransportFailed:
    """The error for a header that HTTP does not allow. Its text would show the value: neither message nor cause may."""
    return TransportFailed("a header of the request holds what HTTP does not allow", retryable=False)
