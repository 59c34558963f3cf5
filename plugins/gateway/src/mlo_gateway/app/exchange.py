"""One HTTP request and its answer, as the data plane sees them. Transport only."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import count
from time import monotonic
from typing import Any, Literal, TypeAlias

import anyio

from mlo_gateway.contracts import GatewayError, Header
from mlo_gateway.wire.errors import error_body, error_event, error_headers

__all__ = ["AsgiMessage", "End", "Exchange", "Receive", "Scope", "Send"]

Scope: TypeAlias = MutableMapping[str, Any]
AsgiMessage: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[AsgiMessage]]
Send: TypeAlias = Callable[[AsgiMessage], Awaitable[None]]
End: TypeAlias = Literal["left", "slow-body", "slow-reader", "overdue", "revoked", "draining"]

_JSON = (b"content-type", b"application/json")
_GOOD_ID = re.compile(rb"[\w.:+/=@-]{1,128}", re.ASCII)
_prefix = secrets.token_hex(6)
_numbers = count(1)


class Exchange:
    """A request under way.

    ``waits_since`` is the time (monotonic) since which a peer has kept us waiting, for its body or for reading what it
    was sent; ``ended`` says why the exchange was ended from outside, with ``ended_by`` as the reason to tell. ``fail``
    writes an error into an answer that is being sent in pieces.
    """

    __slots__ = (
        "_receive",
        "_send",
        "began",
        "cancel",
        "ended",
        "ended_by",
        "fail",
        "headers",
        "listening",
        "method",
        "path",
        "query",
        "reading",
        "request_id",
        "responded",
        "streaming",
        "waits_since",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self.began = monotonic()
        self.cancel = anyio.CancelScope()
        self.request_id = _request_id(self.headers.get(b"x-request-id"))
        self.ended: End | None = None
        self.ended_by = ""
        self.fail: Callable[[GatewayError], bytes] = error_event
        self.listening = False
        self.reading = False
        self.responded = False
        self.streaming = False
        self.waits_since: float | None = None

    def end(self, why: End, reason: str = "") -> None:
        """Stop what is under way, from any task of this event loop."""
        if self.ended is None:
            self.ended, self.ended_by = why, reason
            self.cancel.cancel()

    async def body(self, limit: int) -> bytes:
        """The whole body.

        Raises:
            GatewayError: 413 when it is longer than ``limit`` bytes, whatever its head says; 400 when it is cut.
        """
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > limit:
            raise _too_long(limit)
        self.reading, self.waits_since = True, monotonic()
        try:
            message = await self._receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                data: bytes = message.get("body", b"")
                if len(data) > limit:
                    raise _too_long(limit)
                return data
            return await self._rest(message, limit)
        finally:
            self.reading, self.waits_since = False, None

    async def _rest(self, message: AsgiMessage, limit: int) -> bytes:
        pieces = bytearray()
        while True:
            if message["type"] != "http.request":
                self.ended = "left"
                raise GatewayError(400, "incomplete_body", "invalid_request_error", "The body broke off.")
            pieces += message.get("body", b"")
            if len(pieces) > limit:
                raise _too_long(limit)
            if not message.get("more_body", False):
                return bytes(pieces)
            message = await self._receive()

    async def left(self) -> None:
        """Return when the client has gone, or has got all of its answer."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def respond(self, status: int, body: bytes, headers: Iterable[Header] = (), kind: Header = _JSON) -> None:
        """Send a whole answer."""
        length = (b"content-length", b"%d" % len(body))
        head = [kind, length, (b"x-request-id", self.request_id), *headers]
        await self._start(status, head)
        await self._sent({"type": "http.response.body", "body": body, "more_body": False})

    async def refuse(self, error: GatewayError, headers: Iterable[Header] = ()) -> None:
        """Send an error."""
        closing = [(b"connection", b"close")] if error.status in {408, 413} else []  # a body may still be on its way
        await self.respond(error.status, error_body(error), [*error_headers(error), *closing, *headers])

    async def begin(self, status: int, kind: bytes, headers: Iterable[Header] = ()) -> None:
        """Send the head of an answer that comes in pieces."""
        head = [(b"content-type", kind), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        head += [(b"x-request-id", self.request_id), *headers]
        await self._start(status, head)
        self.streaming = True

    async def piece(self, data: bytes, *, more: bool = True) -> None:
        """Send a piece, as soon as the client has read enough of those before."""
        await self._sent({"type": "http.response.body", "body": data, "more_body": more})

    async def _start(self, status: int, head: list[Header]) -> None:
        self.waits_since = monotonic()
        await self._send({"type": "http.response.start", "status": status, "headers": head})
        self.responded, self.waits_since = True, None  # not before: who is cancelled in between may still say why

    async def _sent(self, message: AsgiMessage) -> None:
        self.waits_since = monotonic()
        await self._send(message)
        self.waits_since = None


def _too_long(limit: int) -> GatewayError:
    message = f"The body of the request is longer than {limit} bytes."
    return GatewayError(413, "request_too_large", "invalid_request_error", message)


def _request_id(theirs: bytes | None) -> bytes:
    """The client's id if it can be repeated as it is, else a new one."""
    if theirs is not None and _GOOD_ID.fullmatch(theirs):
        return theirs
    return f"req_{_prefix}{next(_numbers):08x}".encode()
