"""One connection to a server, and how its failures are called."""

from __future__ import annotations

import os
import select
import ssl
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import httpx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute

__all__ = ["Connection", "connect"]

_RECEIVE_BYTES = 65_536
_SEND_BYTES = 262_144
_POSIX = os.name == "posix"  # elsewhere a socket is no file descriptor
_LOST = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)

Waits = Mapping[str, float | None]


class Connection:
    """A socket, with or without TLS. ``waits`` are httpx's four timeouts, looked up at each wait.

    Beside them may be two moments on the clock of :func:`anyio.current_time`: ``until`` bounds every read, and
    ``within`` says that the caller has bounded them by a scope of its own, which spares a later bound one of ours.
    """

    __slots__ = ("_socket", "_stream", "_tls", "idle_since", "origin")

    def __init__(self, stream: ByteStream, origin: tuple[str, str, int]) -> None:
        self._stream = stream
        self._socket: Any = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - anyio, not Django
        self._tls: ssl.SSLObject | None = stream.extra(TLSAttribute.ssl_object, None)  # noqa: S610
        self.origin = origin
        self.idle_since = 0.0

    def is_dead(self) -> bool:
        """Whether the server has closed it, or said something that nobody asked for."""
        descriptor = self._socket.fileno()
        return descriptor < 0 or _is_readable(descriptor) or (self._tls is not None and not _is_silent(self._tls))

    async def send(self, data: bytes, waits: Waits) -> None:
        """Write all of ``data``, in pieces: who sends much over a slow line is not held up as long as it goes on.

        What the system takes at once costs no trip through the event loop: the stream holds nothing back at that time,
        for it was empty when the last write ended.

        Raises:
            httpx.WriteError: when the connection breaks.
            httpx.WriteTimeout: when the server does not take a piece in time.
        """
        if self._tls is None and _POSIX:
            await anyio.lowlevel.checkpoint_if_cancelled()
            data = data[self._written(data) :]
        for start in range(0, len(data), _SEND_BYTES):
            piece = data if len(data) <= _SEND_BYTES else data[start : start + _SEND_BYTES]
            try:
                with anyio.CancelScope(deadline=_deadline(waits.get("write"))) as scope:
                    await self._stream.send(piece)
            except _LOST as error:
                raise httpx.WriteError(_reason(error)) from error
            if scope.cancelled_caught:
                raise httpx.WriteTimeout("")

    def _written(self, data: bytes) -> int:
        """How much of ``data`` the system takes without waiting."""
        try:
            return os.write(self._socket.fileno(), data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise httpx.WriteError(_reason(error)) from error

    async def receive(self, waits: Waits) -> bytes:
        """The next bytes; none at the end.

        Raises:
            httpx.ReadError: when the connection breaks.
            httpx.ReadTimeout: when nothing comes in time.
        """
        wait, until = waits.get("read"), waits.get("until")
        now = anyio.current_time()
        deadline = float("inf") if wait is None else now + wait
        try:
            if (waits.get("within") or deadline) < deadline:
                return await self._stream.receive(_RECEIVE_BYTES)
            with anyio.CancelScope(deadline=deadline if until is None else min(deadline, until)):
                return await self._stream.receive(_RECEIVE_BYTES)
        except anyio.EndOfStream:
            return b""
        except _LOST as error:
            raise httpx.ReadError(_reason(error)) from error
        raise httpx.ReadTimeout("")

    async def drop(self) -> None:
        """Close it at once."""
        with anyio.CancelScope(shield=True):
            await anyio.aclose_forcefully(self._stream)


async def connect(origin: tuple[str, str, int], context: ssl.SSLContext, waits: Waits) -> Connection:
    """A new connection to ``origin`` (scheme, host, port).

    Raises:
        httpx.ConnectError: when there is none to be had; TLS errors are its cause.
        httpx.ConnectTimeout: when it takes too long.
    """
    scheme, host, port = origin
    try:
        with anyio.CancelScope(deadline=_deadline(waits.get("connect"))):
            if scheme == "https":
                stream: ByteStream = await anyio.connect_tcp(
                    host, port, tls=True, ssl_context=context, tls_standard_compatible=False
                )
            else:
                stream = await anyio.connect_tcp(host, port)
            return Connection(stream, origin)
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise httpx.ConnectError(_reason(error)) from error
    raise httpx.ConnectTimeout("")


def _deadline(wait: float | None) -> float:
    return float("inf") if wait is None else anyio.current_time() + wait


def _reason(error: BaseException) -> str:
    """The deepest cause tells most: anyio sums up the attempts at several addresses."""
    while True:
        inner = error.__cause__
        if isinstance(inner, BaseExceptionGroup):
            inner = inner.exceptions[0]
        if inner is None:
            return str(error) or type(error).__name__
        error = inner


def _is_readable(descriptor: int) -> bool:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])


def _is_silent(tls: ssl.SSLObject) -> bool:
    """Whether all that came has been read: TLS takes records off the socket before anybody asks for them."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        pass
    return False
