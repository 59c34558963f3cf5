"""Concurrency limit of one credential: first come, first served."""

from __future__ import annotations

from collections import deque

import anyio

__all__ = ["Slots"]


class Slots:
    """At most ``limit`` holders at a time. Taking a free slot costs no trip through the event loop.

    One event loop per instance, like everything a router owns.
    """

    __slots__ = ("_waiting", "free", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.free = limit
        self._waiting: deque[anyio.Event] = deque()

    def narrow(self, limit: int) -> None:
        """Another user of the credential allows fewer calls at a time: the smaller number holds for both."""
        if limit < self.limit:
            self.resize(limit)

    def resize(self, limit: int) -> None:
        """Another limit from now on; those who hold a slot keep it."""
        self.free += limit - self.limit
        self.limit = limit
        self._hand_over()

    async def acquire(self) -> None:
        """Take a slot, waiting in line if there is none. A cancelled waiter leaves the line."""
        if self.free > 0 and not self._waiting:
            self.free -= 1
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.release()  # the slot was handed over in the same moment: pass it on
            else:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """Give a slot back: to the one who waits longest, if anybody does."""
        self.free += 1
        self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting and self.free > 0:
            self.free -= 1
            self._waiting.popleft().set()
