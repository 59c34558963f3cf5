"""The HTTP server: uvicorn, with signals and an end of our own."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import anyio
import uvicorn

from .config import ServeConfig
from .connections import Bounds, protocol_of
from .sockets import BACKLOG

__all__ = ["LAST_WORDS", "GatewayServer", "server_config"]

_LOG = logging.getLogger("mlo.gateway")
_TICK = 0.05
LAST_WORDS = 2.0
"""Seconds for streams to send their error event."""


def server_config(app: Callable[..., Awaitable[None]], config: ServeConfig, bounds: Bounds) -> uvicorn.Config:
    """The configuration of uvicorn, for a socket that is already bound."""
    return uvicorn.Config(
        app,
        http=protocol_of(bounds),  # type: ignore[arg-type]  # uvicorn only calls it
        loop="none",
        backlog=BACKLOG,
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(config.trusted_proxies),
        forwarded_allow_ips=list(config.trusted_proxies),
        timeout_keep_alive=config.idle_timeout,  # type: ignore[arg-type]  # seconds for call_later
        ssl_certfile=config.tls_cert,
        ssl_keyfile=config.tls_key,
    )


class GatewayServer(uvicorn.Server):
    """Serves until it is told to stop, then lets requests under way end.

    ``draining`` is called at the beginning of the end, ``last_words`` when the patience is over: it ends the streams
    that are left with an error event.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        bounds: Bounds,
        *,
        ready: Callable[[], None],
        draining: Callable[[], None],
        last_words: Callable[[], Any],
    ) -> None:
        super().__init__(config)
        self.bounds = bounds
        self._ready, self._draining, self._last_words = ready, draining, last_words

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to whoever runs this server."""
        yield

    def stop(self) -> None:
        """Begin to end; a second time, end at once."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        self._ready()

    async def main_loop(self) -> None:
        """Wait for the end, with an eye on the clock for the Date header."""
        counter = 0
        while not await self.on_tick(counter * 10 if counter % 20 == 0 else 1):
            counter += 1
            await anyio.sleep(_TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, let requests end, cut what is left."""
        config = self.bounds.config
        self._draining()
        await self._pause(config.drain_delay)
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        _LOG.info("draining: %d connections, %d requests", *self._left())
        if not await self._emptied(config.drain_timeout):
            _LOG.warning("drain_timeout is over: ending %d requests", len(self.server_state.tasks))
            self._last_words()
            if not await self._emptied(LAST_WORDS):
                for task in list(self.server_state.tasks):
                    task.cancel()
                await self._emptied(LAST_WORDS)
        await self.lifespan.shutdown()

    def _left(self) -> tuple[int, int]:
        return len(self.server_state.connections), len(self.server_state.tasks)

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            while not self.force_exit:  # noqa: ASYNC110 - a signal handler sets it
                await anyio.sleep(_TICK)

    async def _emptied(self, seconds: float) -> bool:
        """Whether all requests have ended within that time. Connections that are left then are idle, and closed."""
        with anyio.move_on_after(seconds):
            while any(self._left()) and not self.force_exit:  # noqa: ASYNC110 - uvicorn tells nobody
                await anyio.sleep(_TICK)
        return not self.server_state.tasks
