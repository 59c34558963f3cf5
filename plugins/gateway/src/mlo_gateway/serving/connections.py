"""Connections of clients, with bounds that the server's own protocol does not have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from attrs import define
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from .config import ServeConfig

__all__ = ["Bounds", "Connection", "protocol_of"]

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"


@define(eq=False)
class Bounds:
    """What connections are held to; shared by all, so that a reload reaches them."""

    config: ServeConfig


class Connection(HttpToolsProtocol):
    """One connection. The head of a request has to come soon and be small; there may be only so many connections."""

    def __init__(self, bounds: Bounds, **options: Any) -> None:
        super().__init__(**options)
        self._bounds = bounds
        self._in_head = True
        self._head_size = 0
        self._head_timer: Any = None

    def connection_made(self, transport: Any) -> None:
        """Take a client in, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self._bounds.config.connections:
            self._refuse(_TOO_MANY)
        else:
            self._await_head(self._bounds.config.idle_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, and see whether the head has become too long."""
        begins = self._in_head and self._head_size == 0
        if self._in_head:
            self._head_size += len(data)
        super().data_received(data)
        if not self._in_head or not self._head_size or self.transport.is_closing():
            return  # the usual case: the head was whole, and needs no timer
        if self._head_size > self._bounds.config.header_limit:
            self._refuse(_TOO_LARGE)
        elif begins:
            self._await_head(self._bounds.config.header_timeout)

    def on_headers_complete(self) -> None:
        """The head is whole: check its length, which a single large packet may have hidden, and begin."""
        self._stop_timer()
        self._in_head, self._head_size = False, 0
        if self.transport.is_closing():
            return
        if (
            sum(len(name) + len(value) for name, value in self.headers) + len(self.url)
            > self._bounds.config.header_limit
        ):
            self._refuse(_TOO_LARGE)
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; the next head may come any time."""
        self._in_head, self._head_size = True, 0
        if self.cycle is not None:
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, unless the request was refused by its head."""
        if self.cycle is not None:
            super().on_body(body)

    def _await_head(self, seconds: float) -> None:
        self._stop_timer()
        self._head_timer = self.loop.call_later(seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever its type says
        if not self.transport.is_closing() and (cycle is None or cycle.response_complete):
            self._refuse(_TOO_SLOW if self._head_size else b"")

    def _refuse(self, answer: bytes) -> None:
        self._stop_timer()
        if answer:
            self.transport.write(answer)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def protocol_of(bounds: Bounds) -> Callable[..., Connection]:
    """What the server calls for each connection."""
    return functools.partial(Connection, bounds)
