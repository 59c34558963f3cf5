"""The gateway on a real socket: uvicorn in a thread of its own, as clients meet it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.from_thread
import uvicorn
from attrs import define

from mlo import Router
from mlo_gateway.anonymous import Anonymous, NoLimits
from mlo_gateway.app.application import GatewayApp, create_app
from mlo_gateway.config import DataConfig, GatewayConfig
from mlo_gateway.contracts import Authenticator, Gateway, Limiter

__all__ = ["Served", "served"]


@define
class Served:
    """A running gateway. ``url`` ends with ``/v1``."""

    url: str
    port: int
    app: GatewayApp


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def served(
    router: Callable[[], Router],
    providers: Callable[[Router], None],
    *,
    data: DataConfig | None = None,
    aliases: Mapping[str, str] | None = None,
    authenticator: Authenticator | None = None,
    limiter: Limiter | None = None,
) -> Iterator[Served]:
    """Serve a router while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()
    running: list[tuple[_Server, GatewayApp]] = []
    failures: list[BaseException] = []

    async def main() -> None:
        async with router() as opened:
            providers(opened)
            gateway = Gateway(
                router=opened,
                authenticator=authenticator or Anonymous(),
                limiter=limiter or NoLimits(),
                config=GatewayConfig(auth="off", aliases=aliases or {}, data=data or DataConfig()),
            )
            app = create_app(gateway)
            config = uvicorn.Config(app, http="httptools", lifespan="on", log_config=None, access_log=False)
            server = _Server(config, ready)
            running.append((server, app))
            await server.serve(sockets=[listener])

    def run() -> None:
        try:
            anyio.run(main)
        except BaseException as error:  # noqa: BLE001 - told by the block's owner
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="gateway", daemon=True)
    thread.start()
    ready.wait(15)
    if failures or not running:
        raise RuntimeError("the gateway did not start") from (failures[0] if failures else None)
    server, app = running[0]
    port: Any = listener.getsockname()[1]
    try:
        yield Served(url=f"http://127.0.0.1:{port}/v1", port=port, app=app)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
    if failures:
        raise RuntimeError("the gateway failed") from failures[0]
