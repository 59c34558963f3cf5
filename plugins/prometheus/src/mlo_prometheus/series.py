"""One time series each: numbers that any thread may move and a scrape reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from threading import RLock

__all__ = ["Counter", "Gauge", "Histogram"]


class Counter:
    """Only grows. Integers stay integers, so sums of money are exact."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self.value: float = 0
        self._lock = RLock()

    def add(self, amount: float = 1) -> None:
        """Count ``amount``. A negative one would look like a restart, and is left out."""
        if amount > 0:
            with self._lock:
                self.value += amount


class Gauge:
    """Goes up and down, or is read from ``source`` when somebody looks. ``None`` is unknown, and not shown."""

    __slots__ = ("_lock", "_value", "source")

    def __init__(self, source: Callable[[], float | None] | None = None) -> None:
        self._value: float | None = 0
        self._lock = RLock()
        self.source = source

    @property
    def value(self) -> float | None:
        """What it says now."""
        return self._value if self.source is None else self.source()

    def add(self, amount: float = 1) -> None:
        """Move it by ``amount``."""
        with self._lock:
            self._value = (self._value or 0) + amount

    def set(self, value: float | None) -> None:
        """Put it to ``value``."""
        self._value = value


class Histogram:
    """Counts observations by the smallest of ``bounds`` (ascending) that is not below them."""

    __slots__ = ("_bounds", "_counts", "_lock", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum: float = 0
        self._lock = RLock()

    def observe(self, value: float) -> None:
        """Take one observation."""
        with self._lock:
            self._counts[bisect_left(self._bounds, value)] += 1
            self._sum += value

    def merge(self, counts: Sequence[int], total: float) -> None:
        """Take observations that were counted elsewhere by the same bounds; ``total`` is their sum."""
        with self._lock:
            self._counts = [mine + theirs for mine, theirs in zip(self._counts, counts, strict=True)]
            self._sum += total

    def read(self) -> tuple[list[int], float]:
        """How many observations are not above each bound, and above none of them; and their sum."""
        with self._lock:
            counts, total = self._counts.copy(), self._sum
        return list(accumulate(counts)), total
