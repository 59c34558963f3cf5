"""A pool of connections behind httpx's transport interface."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable
from typing import Self, TypeAlias

import anyio
import httpx

from mlo_sdk.settings import HttpSettings

from .connection import Connection, Waits, connect
from .http1 import Head, ResponseReader, request_bytes

__all__ = ["DirectTransport", "Exchange", "Origin"]

_SAFE = frozenset({"GET", "HEAD"})
Origin: TypeAlias = tuple[str, str, int]


class DirectTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over pooled connections; made and closed in the event loop that uses it. Knows no proxies.

    A server may close an idle connection at the moment in which it is used again. What has no effects (``GET``) is then
    sent once more. Anything else may have been done already, which nobody can tell from here: that is an error, and who
    pays for the call decides whether to repeat it.
    """

    def __init__(self, context: ssl.SSLContext, settings: HttpSettings) -> None:
        self._context = context
        self._settings = settings
        self._idle: list[Connection] = []
        self._slots = None if settings.max_connections is None else anyio.Semaphore(settings.max_connections)
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to ``request``; its body is read as it is asked for.

        Raises:
            httpx.TransportError: as httpx's own transport does.
        """
        url = request.url
        origin = url.scheme, url.raw_host.decode("ascii"), url.port or (443 if url.scheme == "https" else 80)
        data = request_bytes(request, await _body_of(request))
        exchange = await self.exchange(origin, request.method, data, request.extensions.get("timeout", {}))
        return httpx.Response(
            exchange.head.status, headers=list(exchange.head.headers), stream=exchange, request=request
        )

    async def exchange(self, origin: Origin, method: str, data: bytes, waits: Waits) -> Exchange:
        """The answer to a request that is bytes already, up to its head.

        Raises:
            httpx.TransportError: as httpx's own transport does.
        """
        if self._slots is not None:
            await self._slots.acquire()
        exchange = Exchange(self, waits, ResponseReader(method))
        try:
            used = await self._used(origin)
            if used is None or not await self._repeated(exchange, used, data, safe=method in _SAFE):
                await exchange.begin(await connect(origin, self._context, waits), data)
        except BaseException:
            await exchange.aclose()
            raise
        return exchange

    async def _repeated(self, exchange: Exchange, used: Connection, data: bytes, *, safe: bool) -> bool:
        """Begin on a connection that was used before; ``False`` if it was dead and the request may be sent again."""
        try:
            await exchange.begin(used, data)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if not safe or exchange.reader.begun:
                raise
            await exchange.let_go()
            return False
        return True

    async def _used(self, origin: Origin) -> Connection | None:
        """An idle connection that is still good."""
        oldest = anyio.current_time() - self._settings.keep_alive
        while self._idle:
            connection = self._idle.pop()
            if connection.origin == origin and connection.idle_since >= oldest and not connection.is_dead():
                return connection
            await connection.drop()
        return None

    async def give_back(self, connection: Connection | None, *, reusable: bool) -> None:
        """Take a connection back, to use it again or to close it; ``None`` if there never was one."""
        if self._slots is not None:
            self._slots.release()
        if connection is None:
            return
        if not reusable or self._closed or len(self._idle) >= self._settings.max_idle:
            await connection.drop()
            return
        connection.idle_since = anyio.current_time()
        self._idle.append(connection)

    async def aclose(self) -> None:
        """Close all connections that are not in use; those in use are closed when they are given back."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.drop()


class Exchange(httpx.AsyncByteStream):
    """One request and its answer; as a stream, the answer's body.

    An iterator of its own and not a generator: one that is dropped half read leaves nothing behind.
    """

    __slots__ = ("_connection", "_first", "_over", "_spoilt", "_transport", "reader", "waits")

    def __init__(self, transport: DirectTransport, waits: Waits, reader: ResponseReader) -> None:
        self.reader = reader
        self.waits = waits
        self._transport = transport
        self._connection: Connection | None = None
        self._first = b""
        self._over = False
        self._spoilt = False

    @property
    def head(self) -> Head:
        """The head of the answer.

        Raises:
            httpx.RemoteProtocolError: when there is none.
        """
        head = self.reader.head
        if head is None:
            raise httpx.RemoteProtocolError("no head")
        return head

    async def begin(self, connection: Connection, data: bytes) -> None:
        """Send the request and read up to the end of the answer's head."""
        self._connection = connection
        try:
            await connection.send(data, self.waits)
        except httpx.WriteError as unsent:
            # some servers refuse a large request before all of it has come, and close: their answer says why
            self._spoilt = True
            try:
                await self._read_head(connection)
            except httpx.TransportError:
                raise unsent from unsent.__cause__
        else:
            await self._read_head(connection)

    async def _read_head(self, connection: Connection) -> None:
        while self.reader.head is None:
            self._first = await self._next(connection)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._first:
            piece, self._first = self._first, b""
            return piece
        while not self.reader.complete and self._connection is not None and not self._over:
            try:
                piece = await self._next(self._connection)
            except BaseException:
                await self.aclose()
                raise
            if piece:
                return piece
        raise StopAsyncIteration

    async def _next(self, connection: Connection) -> bytes:
        data = await connection.receive(self.waits)
        piece = b""
        if data:
            piece = self.reader.feed(data)
        else:
            self.reader.end()
        if self.reader.complete:
            await self._finish(reusable=self.reader.reusable)
        return piece

    async def let_go(self) -> None:
        """Close a connection on which nothing was heard; another one may begin."""
        connection, self._connection = self._connection, None
        self._spoilt = False
        if connection is not None:
            await connection.drop()

    async def _finish(self, *, reusable: bool) -> None:
        if not self._over:
            self._over = True
            await self._transport.give_back(self._connection, reusable=reusable and not self._spoilt)

    async def aclose(self) -> None:
        """Close the connection unless the answer was read to its end."""
        await self._finish(reusable=False)


async def _body_of(request: httpx.Request) -> bytes:
    stream = request.stream
    if not isinstance(stream, AsyncIterable):
        raise httpx.LocalProtocolError("the body of a request must be asynchronous", request=request)
    pieces = [piece async for piece in stream]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
