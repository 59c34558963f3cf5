"""Keeping to a rate: at most so many starts in any second."""

from __future__ import annotations

from collections import deque

import anyio

__all__ = ["Pacer"]

_WINDOW = 1.0
_MARGIN = 0.05  # seconds: requests may arrive closer together than they were sent


class Pacer:
    """Lets ``rate`` callers start at once, and others when the window of a second has room. First come, first served.

    One event loop per pacer.
    """

    def __init__(self, rate: int) -> None:
        self._rate = max(rate, 1)
        self._starts: deque[float] = deque()

    async def turn(self) -> None:
        """Wait for a place in the window."""
        now = anyio.current_time()
        # A start is booked before the wait, so that those who come later queue up behind it.
        start = now if len(self._starts) < self._rate else max(now, self._starts[0] + _WINDOW + _MARGIN)
        self._starts.append(start)
        while len(self._starts) > self._rate:
            self._starts.popleft()
        if start > now:
            await anyio.sleep_until(start)
