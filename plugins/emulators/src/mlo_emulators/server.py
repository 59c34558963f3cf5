"""Runs an emulator: in a thread for tests, or in the foreground for people.

The server is uvicorn with h11, because it shows what happens on the connection: opened, closed, left by the client.
An app may cut its own connection: ``connection(scope).abort()``.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import uvicorn
from attrs import field, frozen
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from .journal import Journal, ReceivedRequest, Recording
from .tls import ServerTls

__all__ = [
    "Connection",
    "Journal",
    "ReceivedRequest",
    "Recording",
    "RunningServer",
    "ServerTls",
    "connection",
    "running",
    "serve",
]

_EXTENSION = "mlo.connection"
_SHUTDOWN_SECONDS = 2
_KEEP_ALIVE_SECONDS = 15
_TICK_SECONDS = 0.02
_STOP_SECONDS = 0.005


@frozen
class Connection:
    """The TCP connection of a request."""

    _transport: Any
    _ours: set[Any]

    def abort(self) -> None:
        """Close it at once, whatever is still unsent."""
        self._ours.discard(self._transport)
        self._transport.abort()

    def close(self) -> None:
        """Close it once everything is sent: the client sees the end of the connection where none was due."""
        self._ours.discard(self._transport)
        self._transport.close()


def connection(scope: Scope) -> Connection | None:
    """The connection that a request came on; ``None`` under a server that is not ours (a test client)."""
    found: Connection | None = scope.get("extensions", {}).get(_EXTENSION)
    return found


@frozen(kw_only=True)
class RunningServer:
    """A server that accepts requests. ``url`` has no slash at its end."""

    url: str
    host: str
    port: int
    journal: Journal


@frozen
class _Connections:
    """The open connections of one server; ``ours`` are those that the server itself has not cut."""

    by_client: dict[tuple[str, int], Any] = field(factory=dict)
    ours: set[Any] = field(factory=set)


class _Protocol(H11Protocol):
    """Counts connections, and offers each one to the app."""

    def __init__(self, journal: Journal, connections: _Connections, **options: Any) -> None:
        super().__init__(**options)
        self._journal, self._open = journal, connections

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._journal.count("connections opened")
        self._open.ours.add(transport)
        if self.client is not None:
            self._open.by_client[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            self._open.by_client.pop(self.client, None)
        left_by_client = self.transport in self._open.ours
        self._open.ours.discard(self.transport)
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever its type says
        if left_by_client and cycle is not None and not cycle.response_complete:
            self._journal.count("client disconnects")
        self._journal.count("connections closed")
        super().connection_lost(exc)


class _WithConnection:
    """Puts the connection into the scope of each request."""

    def __init__(self, app: ASGIApp, connections: _Connections) -> None:
        self._app, self._open = app, connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is not None and (transport := self._open.by_client.get(tuple(client))) is not None:
            scope.setdefault("extensions", {})[_EXTENSION] = Connection(transport, self._open.ours)
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    """Tells when it is ready, and stops sooner."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter = (counter + 1) % 864_000
            await anyio.sleep(_TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which sleeps a tenth of a second even where nothing is left to wait for."""
        state = self.server_state
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for open_connection in list(state.connections):
            open_connection.shutdown()
        with anyio.move_on_after(_SHUTDOWN_SECONDS):
            while (state.connections or state.tasks) and not self.force_exit:  # noqa: ASYNC110 - uvicorn tells nobody
                await anyio.sleep(_STOP_SECONDS)
        for task in list(state.tasks):
            task.cancel()
        if not self.force_exit:
            await self.lifespan.shutdown()


@contextlib.contextmanager
def running(
    app: Starlette, *, tls: ServerTls | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[RunningServer]:
    """Serve ``app`` from a thread of its own while the block runs. Port 0 takes a free one.

    The journal is ``app.state.journal``; an app without one gets it here.

    Raises:
        OSError: when the port is taken or a TLS file cannot be read.
        RuntimeError: when the server does not start.
    """
    journal = _journal(app)
    listener = _listen(host, port)
    ready = threading.Event()
    try:
        server = _Server(_config(app, journal, tls), ready.set)
    except BaseException:
        listener.close()
        raise
    bound = listener.getsockname()[1]
    thread = threading.Thread(target=_run, args=(server, listener, ready), name=f"emulator-{bound}", daemon=True)
    thread.start()
    try:
        ready.wait()
        if not server.started:
            raise RuntimeError(f"the emulator on {host}:{bound} did not start")
        yield RunningServer(url=_url(tls, host, bound), host=host, port=bound, journal=journal)
    finally:
        server.should_exit = True
        thread.join()


def serve(
    app: Starlette,
    *,
    tls: ServerTls | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[RunningServer], None] = lambda _server: None,
) -> None:
    """Serve ``app`` in the foreground until a signal says stop; ``on_ready`` is told where.

    Raises:
        OSError: when the port is taken or a TLS file cannot be read.
    """
    journal = _journal(app)
    listener = _listen(host, port)
    bound = listener.getsockname()[1]
    place = RunningServer(url=_url(tls, host, bound), host=host, port=bound, journal=journal)
    with listener, contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again once it has shut down
        _Server(_config(app, journal, tls), functools.partial(on_ready, place)).run(sockets=[listener])


def _run(server: _Server, listener: socket.socket, ready: threading.Event) -> None:
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        ready.set()  # also after a failed start, so that nobody waits for it


def _journal(app: Starlette) -> Journal:
    if not isinstance(getattr(app.state, "journal", None), Journal):
        app.state.journal = Journal()
    journal: Journal = app.state.journal
    return journal


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named: without it each answer waits 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _url(tls: ServerTls | None, host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{name}:{port}"


def _config(app: Starlette, journal: Journal, tls: ServerTls | None) -> uvicorn.Config:
    connections = _Connections()
    demand = tls is not None and tls.client_ca_file is not None
    config = uvicorn.Config(
        _WithConnection(app, connections),
        http=functools.partial(_Protocol, journal, connections),  # type: ignore[arg-type]  # uvicorn only calls it
        loop="asyncio",
        ws="none",
        interface="asgi3",
        lifespan="auto",
        log_config=None,
        log_level="critical",  # cut streams are wanted here, not errors
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        ssl_certfile=tls.cert_file if tls else None,
        ssl_keyfile=tls.key_file if tls else None,
        ssl_ca_certs=str(tls.client_ca_file) if tls and tls.client_ca_file else None,
        ssl_cert_reqs=ssl.CERT_REQUIRED if demand else ssl.CERT_NONE,
    )
    config.load()
    return config
