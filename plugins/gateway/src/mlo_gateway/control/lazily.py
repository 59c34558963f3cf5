"""The control plane, loaded when it is first used: a gateway is ready a second earlier without it."""

from __future__ import annotations

import anyio
import anyio.to_thread

from mlo_gateway.app.application import AsgiApp
from mlo_gateway.app.exchange import Receive, Scope, Send

from .seams import Control

__all__ = ["LazyControl"]


class LazyControl:
    """An ASGI application: the control plane on ``control``."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._app: AsgiApp | None = None
        self._turn = anyio.Lock()

    async def load(self) -> AsgiApp:
        """Load it, unless that was done."""
        async with self._turn:
            if self._app is None:
                self._app = await anyio.to_thread.run_sync(_created, self._control)
            return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await (self._app or await self.load())(scope, receive, send)


def _created(control: Control) -> AsgiApp:
    from .app import create_control  # noqa: PLC0415 - what this module is for

    return create_control(control)
