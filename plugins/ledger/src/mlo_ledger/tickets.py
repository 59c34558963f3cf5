"""Waiting for the writer's thread, from any event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias

import anyio
from anyio.lowlevel import current_token

from mlo.errors import CallRefused

from .admission import Admission, Hold, Pot

__all__ = ["Bell", "Ticket"]

_Schedule: TypeAlias = Callable[[Callable[[], None]], object]


class Bell:
    """An event of the loop that it is made in, which any thread may ring."""

    def __init__(self) -> None:
        self._event = anyio.Event()
        loop = current_token().native_token
        # anyio.from_thread would make the ringing thread wait for the loop
        found = getattr(loop, "call_soon_threadsafe", None) or getattr(loop, "run_sync_soon", None)
        if found is None:
            msg = f"cannot wake tasks of {type(loop).__name__}: neither an asyncio loop nor a trio token"
            raise TypeError(msg)
        self._schedule: _Schedule = found

    async def wait(self) -> None:
        """Wait until it rings."""
        await self._event.wait()

    def ring(self) -> None:
        """Wake who waits, if the loop is still there."""
        try:
            self._schedule(self._event.set)
        except RuntimeError:  # the loop has ended, and who waited with it
            return


class Ticket:
    """A call that waits for the database to say whether it may go on.

    ``patience`` is how many seconds it waits for others to give back what it needs, from when that is known.
    """

    def __init__(self, admission: Admission, pots: tuple[Pot, ...], moment: int, nano: int, patience: float) -> None:
        self.pots, self.moment, self.nano = pots, moment, nano
        self._patience = patience
        self._until: float | None = None
        self._admission = admission
        self._lock = threading.RLock()  # as in `Admission`
        self._bell = Bell()
        self._holds: list[Hold] | None = None
        self._refusal: CallRefused | None = None
        self._left = False

    async def holds(self) -> list[Hold]:
        """What the call holds, once that is known.

        Raises:
            CallRefused: when it may not go on.
        """
        taken: list[Hold] | None = None
        try:
            await self._bell.wait()
            if self._refusal is not None:
                raise self._refusal
            taken = self._holds or []
        finally:
            if taken is None:
                self._leave()
        return taken

    def try_take(self) -> bool:
        """Serve the call from memory; true if it need not wait any more."""
        with self._lock:
            if self._left:
                return True
            self._holds = self._admission.take(self.pots, self.moment, self.nano)
            if self._holds is None:
                return False
            if self._left:  # a finalizer came in between
                self._leave()
        self._bell.ring()
        return True

    def waits(self, now: float) -> bool:
        """Whether it still waits for others at ``now``, of the monotonic clock."""
        if self._until is None:
            self._until = now + self._patience
        return now < self._until

    def refuse(self, refusal: CallRefused) -> None:
        """Tell the call that it may not go on."""
        self._refusal = refusal
        self._bell.ring()

    def _leave(self) -> None:
        """Its caller waits no more: what it was given meanwhile is free again."""
        with self._lock:
            self._left = True
            holds, self._holds = self._holds, None
        if holds:
            self._admission.end(holds, counted=False, nano=0)
