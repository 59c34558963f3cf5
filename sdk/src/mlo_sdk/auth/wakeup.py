"""Waking a task from any thread and any event loop, without waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import anyio
from anyio.lowlevel import EventLoopToken, current_token

__all__ = ["Bell", "still_runs"]

_Schedule: TypeAlias = Callable[[Callable[[], None]], object]


class Bell:
    """An event that belongs to the loop it is made in, and may be rung from anywhere."""

    __slots__ = ("_event", "_schedule")

    def __init__(self) -> None:
        self._event = anyio.Event()
        self._schedule = _scheduler(current_token().native_token)

    async def wait(self) -> None:
        """Wait until the bell has been rung."""
        await self._event.wait()

    def ring(self) -> bool:
        """Wake who waits; false if the loop that the bell belongs to has ended."""
        return _scheduled(self._schedule, self._event.set)

    def can_ring(self) -> bool:
        """Whether the loop that the bell belongs to still runs, or could."""
        return _scheduled(self._schedule, _nothing)


def still_runs(loop: EventLoopToken) -> bool:
    """Whether ``loop`` has not ended."""
    return _scheduled(_scheduler(loop.native_token), _nothing)


def _scheduled(schedule: _Schedule, call: Callable[[], None]) -> bool:
    try:
        schedule(call)
    except RuntimeError:  # the loop is closed (asyncio), the run has finished (trio)
        return False
    return True


def _nothing() -> None:
    """What a loop does to show that it is there."""


def _scheduler(loop: object) -> _Schedule:
    # anyio.from_thread would block the ringing thread, itself maybe an event loop, until the other loop has answered
    found = getattr(loop, "call_soon_threadsafe", None) or getattr(loop, "run_sync_soon", None)
    if found is None:
        msg = f"cannot wake tasks of {type(loop).__name__}: neither an asyncio loop nor a trio token"
        raise TypeError(msg)
    return found  # type: ignore[no-any-return]  # both take a callable without arguments
