"""Waking a task from any thread and any event loop, without waiting for it."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel

__all__ = ["Bell"]


class Bell:
    """An event that belongs to the loop it is made in, and may be rung from anywhere."""

    __slots__ = ("_event", "_schedule")

    def __init__(self) -> None:
        self._event = anyio.Event()
        self._schedule = _scheduler(anyio.lowlevel.current_token().native_token)

    async def wait(self) -> None:
        """Wait until the bell has been rung."""
        await self._event.wait()

    def ring(self) -> bool:
        """Wake who waits; false if the loop that the bell belongs to has ended."""
        try:
            self._schedule(self._event.set)
        except RuntimeError:  # the loop is closed (asyncio), the run has finished (trio)
            return False
        return True


def _scheduler(loop: object) -> Callable[[Callable[[], None]], object]:
    # anyio.from_thread would block the ringing thread, itself maybe an event loop, until the other loop has answered
    found = getattr(loop, "call_soon_threadsafe", None) or getattr(loop, "run_sync_soon", None)
    if found is None:
        msg = f"cannot wake tasks of {type(loop).__name__}: neither an asyncio loop nor a trio token"
        raise TypeError(msg)
    return found  # type: ignore[no-any-return]  # both take a callable without arguments
