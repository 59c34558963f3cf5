"""A server of ours around any ASGI application, in a thread; and sockets to be rude to it with."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import anyio
from attrs import field, frozen

from mlo_gateway.serving.config import ServeConfig
from mlo_gateway.serving.connections import Bounds
from mlo_gateway.serving.server import GatewayServer, server_config
from mlo_gateway.serving.sockets import bound


@frozen
class Served:
    port: int
    server: GatewayServer
    bounds: Bounds
    told: list[str] = field(factory=list)

    def stop(self) -> None:
        self.server.stop()

    def connect(self, data: bytes = b"") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), 5)
        client.sendall(data)
        return client


@contextlib.contextmanager
def serving(app: Any, **options: Any) -> Iterator[Served]:
    config = ServeConfig(port=0, **options)
    bounds, listener, ready = Bounds(config), bound(config), threading.Event()
    told: list[str] = []
    server = GatewayServer(
        server_config(app, config, bounds),
        bounds,
        ready=ready.set,
        draining=lambda: told.append("draining"),
        last_words=lambda: told.append("last words"),
    )
    thread = threading.Thread(
        target=anyio.run,
        args=(server.serve, [listener]),
        kwargs={"backend": "asyncio", "backend_options": {"use_uvloop": True}},
        daemon=True,
    )
    port = listener.getsockname()[1]
    thread.start()
    try:
        assert ready.wait(10)
        yield Served(port, server, bounds, told)
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


def everything(client: socket.socket) -> bytes:
    """What the server says until it closes the connection."""
    client.settimeout(10)
    pieces = []
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            pieces.append(piece)
    return b"".join(pieces)


def answer(client: socket.socket) -> bytes:
    """The next answer, which has to have no body or a short one."""
    client.settimeout(10)
    return client.recv(65_536)
