"""Keeping to a rate: at most so many starts in a window of time."""

from __future__ import annotations

import threading
import time
from collections import deque

import anyio

__all__ = ["Pacer"]

_MARGIN = 0.05  # of the window: requests may arrive closer together than they were sent


class Pacer:
    """Lets ``rate`` callers start at once, and others when the ``window`` (seconds) has room. First come, first served.

    Callers may be in several threads and event loops.
    """

    def __init__(self, rate: int, window: float = 1.0) -> None:
        self._rate = max(rate, 1)
        self._apart = window * (1 + _MARGIN)
        self._starts: deque[float] = deque(maxlen=self._rate)
        self._lock = threading.Lock()

    async def turn(self) -> None:
        """Wait for a place in the window."""
        now = time.monotonic()  # not the loop's clock: each loop has one of its own
        with self._lock:  # a start is booked before the wait, so that those who come later queue up behind it
            start = now if len(self._starts) < self._rate else max(now, self._starts[0] + self._apart)
            self._starts.append(start)
        if start > now:
            await anyio.sleep(start - now)
