"""One connection pool per event loop, and how each is closed in its own."""

from __future__ import annotations

from contextlib import suppress

import anyio
import anyio.from_thread
import anyio.to_thread
import httpx
from anyio.lowlevel import EventLoopToken, current_token

from .auth.wakeup import still_runs
from .settings import HttpSettings
from .tls import TlsConfig
from .transports import open_transport

__all__ = ["Pools"]

_FOREIGN_CLOSE_SECONDS = 2.0


class Pools:
    """Opens a pool when a loop first asks for one, and forgets those of loops that have ended."""

    def __init__(self, url: httpx.URL, settings: HttpSettings, tls: TlsConfig, path: str) -> None:
        self._url, self._settings, self._tls, self._path = url, settings, tls, path
        self._transports: dict[EventLoopToken, httpx.AsyncBaseTransport] = {}
        self._open = False

    def open(self) -> None:
        """Allow use, and make the running loop's pool, so that wrong TLS files are told now.

        Raises:
            ConfigError: for settings that cannot be used.
        """
        self._open = True
        self.current()

    def current(self) -> httpx.AsyncBaseTransport:
        """The pool of the running loop.

        Raises:
            RuntimeError: when the client is not open.
        """
        token = current_token()
        transport = self._transports.get(token)
        if transport is None:
            if not self._open:
                raise RuntimeError(f"the HTTP client of {self._url} is not open: use it within `async with`")
            transport = open_transport(self._url, self._settings, self._tls, self._path)
            for ended in [known for known in list(self._transports) if not still_runs(known)]:
                self._transports.pop(ended, None)
            self._transports[token] = transport
        return transport

    async def aclose(self) -> None:
        """Close all pools: those of other loops too if these still run, otherwise their sockets are gone with them."""
        self._open = False
        transports, self._transports = self._transports, {}
        here = current_token()
        with anyio.CancelScope(shield=True):
            for token, transport in transports.items():
                if token == here:
                    await transport.aclose()
                else:
                    await _close_elsewhere(token, transport)


async def _close_elsewhere(token: EventLoopToken, transport: httpx.AsyncBaseTransport) -> None:
    def close() -> None:
        with suppress(RuntimeError):  # that loop has ended
            anyio.from_thread.run(transport.aclose, token=token)

    with anyio.move_on_after(_FOREIGN_CLOSE_SECONDS):
        await anyio.to_thread.run_sync(close, abandon_on_cancel=True)
