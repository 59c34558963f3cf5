"""How long a router stays open, and in which loop."""

from __future__ import annotations

import asyncio  # noqa: TID251 - the asynchronous half of LangChain is asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from mlo.router import Router

from .background import Background

__all__ = ["Guest", "Lodger", "Residence"]


class Residence(Protocol):
    """A router in an event loop."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the router belongs to."""

    @property
    def thread_id(self) -> int:
        """The thread that the loop runs in."""

    @property
    def usable(self) -> bool:
        """Whether the router is open or can still be opened; may be asked from any thread."""

    async def router(self) -> Router:
        """The open router. To be called in the loop."""

    def leave(self) -> None:
        """Give the router up; from any thread, without waiting."""


class Guest:
    """A router that its owner has opened in the running loop, and will close."""

    def __init__(self, router: Router) -> None:
        self.loop = asyncio.get_running_loop()
        self.thread_id = threading.get_ident()
        self._router = router

    @property
    def usable(self) -> bool:
        """As long as the owner keeps the router open."""
        return self._router.is_open

    async def router(self) -> Router:
        """The router as it is."""
        return self._router

    def leave(self) -> None:
        """Nothing: closing is up to the owner."""


class Lodger:
    """A router that opens in the background loop with the first call.

    Everything but :meth:`leave` and :attr:`usable` happens in that loop, so no lock is needed.
    """

    def __init__(self, host: Background, make: Callable[[], Awaitable[Router]]) -> None:
        self.loop = host.loop
        self.thread_id = host.thread_id
        self._host = host
        self._make = make
        self._router: Router | None = None
        self._opening: asyncio.Future[Router] | None = None
        self._life: asyncio.Task[None] | None = None
        self._leaving = asyncio.Event()
        self._left = False

    @property
    def usable(self) -> bool:
        """Until it has been told to leave."""
        return not self._left

    async def router(self) -> Router:
        """The open router; whoever comes first opens it, and the others wait for that."""
        if self._router is not None:
            return self._router
        if self._opening is None:
            self._opening = self.loop.create_future()
            self._life = self._host.adopt(self._live(self._opening))
            self._life.add_done_callback(self._end)
        return await asyncio.shield(self._opening)  # a caller that gives up does not take the others along

    def leave(self) -> None:
        """Let the router close; from any thread, without waiting."""
        self._left = True
        with suppress(RuntimeError):  # the loop is closed, and the router with it
            self.loop.call_soon_threadsafe(self._leaving.set)

    async def gone(self) -> None:
        """Returns once the router is closed. To be called in the loop."""
        if self._life is not None:
            await asyncio.wait({self._life})

    async def _live(self, opening: asyncio.Future[Router]) -> None:
        async with await self._make() as router:
            self._router = router
            opening.set_result(router)
            try:
                await self._leaving.wait()
            finally:
                self._router = None

    def _end(self, life: asyncio.Task[None]) -> None:
        """Tell those who wait that opening failed; the next call tries again."""
        opening, self._opening = self._opening, None
        if opening is None or opening.done():
            return
        error = None if life.cancelled() else life.exception()
        if error is None:
            opening.cancel()
        else:
            opening.set_exception(error)
