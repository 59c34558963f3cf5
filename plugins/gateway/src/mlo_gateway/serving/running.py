"""One process of a gateway, from the open socket to the last drained stream."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import anyio
from attrs import evolve, frozen

from mlo.errors import ConfigError
from mlo_gateway.limits.background import beside

from .announcing import announce
from .certificates import load_certificate
from .checking import add_checks
from .collecting import rare_collections, spare_start
from .notices import notify
from .parts import open_parts
from .plan import Overrides, Plan, read_plan
from .reloading import Reloader
from .server import GatewayServer, server_config
from .sockets import bound, host_of, inherited

__all__ = ["Hooks", "serve_here"]

_LOG = logging.getLogger("mlo.gateway")


@frozen(kw_only=True)
class Hooks:
    """How a process and whoever started it tell each other things, by descriptors.

    ``listener`` is a socket that listens already; a byte is written to ``ready`` once requests are served; the process
    ends when ``lifeline`` is closed at its other end. ``quiet`` leaves the greeting to somebody else.
    """

    listener: int | None = None
    ready: int | None = None
    lifeline: int | None = None
    quiet: bool = False


def serve_here(overrides: Overrides, hooks: Hooks = Hooks()) -> int:
    """Serve in this process until a signal says stop; the exit code.

    Raises:
        MloError: when the gateway cannot be opened.
    """
    with ExitStack() as stack:
        given = inherited(hooks.listener)
        if given is not None:  # where it listens decides what strangers may see, whatever the configuration says
            overrides = evolve(overrides, host=host_of(stack.enter_context(given)))
        plan = read_plan(overrides)
        listener = given or stack.enter_context(bound(plan.config.serve))
        stack.enter_context(rare_collections())
        options = {"use_uvloop": find_spec("uvloop") is not None}
        anyio.run(_serve, plan, overrides, hooks, listener, backend="asyncio", backend_options=options)
    return 0


async def _serve(plan: Plan, overrides: Overrides, hooks: Hooks, listener: socket.socket) -> None:
    async with open_parts(plan, overrides) as parts:
        add_checks(parts)
        reloader = Reloader(parts)
        parts.reload = reloader.reload

        def ready() -> None:
            spare_start()
            if not hooks.quiet:
                announce(parts, listener)
            notify("READY=1")
            if hooks.ready is not None:
                os.write(hooks.ready, b"1")
                os.close(hooks.ready)

        def draining() -> None:
            parts.checks.draining = True
            notify("STOPPING=1")

        server = GatewayServer(
            server_config(parts.app, plan.config.serve, parts.bounds),
            parts.bounds,
            ready=ready,
            draining=draining,
            last_words=lambda: parts.data_plane.end_streams("The gateway is shutting down."),
        )
        async with beside(*_watchers(server, reloader, hooks)):
            await server.serve(sockets=[listener])


def _renew_certificate(server: GatewayServer) -> None:
    try:
        load_certificate(server.config.ssl, server.bounds.config)
    except ConfigError as error:
        _LOG.warning("the certificate stays as it was: %s", error)


def _watchers(
    server: GatewayServer, reloader: Reloader, hooks: Hooks
) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    async def signals() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as received:
            async for number in received:
                if number is signal.SIGHUP:
                    await reloader.reload()
                    _renew_certificate(server)
                else:
                    server.stop()

    async def lifeline() -> None:
        if hooks.lifeline is not None:
            await anyio.wait_readable(hooks.lifeline)
            server.stop()

    return [signals, lifeline]
