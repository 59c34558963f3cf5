"""From this process to the receiver: bounded queues, a thread each, and an exact count of what is lost.

For every queue, at any time: taken = sent + lost + waiting + under way.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

__all__ = ["Losses", "Outbox", "Ticker"]

T = TypeVar("T")
_QUIET = 60.0  # seconds between two warnings
_log = logging.getLogger("mlo")


class Losses:
    """Counts what did not arrive, and says so in the log at most once a minute."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._warned = -_QUIET

    def add(self, signal: str, reason: str, count: int) -> None:
        """``count`` items of a signal (``spans``, ``events``) are lost."""
        with self._lock:
            self._counts[signal, reason] += count
            total = self._counts[signal, reason]
            now = monotonic()
            due = now - self._warned >= _QUIET
            if due:
                self._warned = now
        if due:
            _log.warning(
                "observer %r has lost %d %s so far (%s); further losses are only counted",
                self._name,
                total,
                signal,
                reason,
            )

    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many, by signal and reason."""
        with self._lock:
            return dict(self._counts)


class Outbox(Generic[T]):
    """Takes items without waiting and sends them in batches, in a thread of its own.

    ``send`` gives whether a batch arrived; it may take its time. Beyond ``limit`` waiting items further ones are lost.
    ``delay`` is how many seconds an item waits at most for others.
    """

    def __init__(
        self, signal: str, send: Callable[[Sequence[T]], bool], losses: Losses, *, limit: int, batch: int, delay: float
    ) -> None:
        self._signal = signal
        self._send = send
        self._losses = losses
        self._limit = limit
        self._batch = min(batch, limit)
        self._delay = delay
        self._lock = threading.RLock()
        self._waiting: deque[T] = deque()
        self._under_way = 0
        self._sent = 0
        self._closed = False
        self._knocks: SimpleQueue[None] = SimpleQueue()  # may be knocked at from a finalizer, unlike an Event
        self._thread = threading.Thread(target=self._run, name=f"mlo-otel-{signal}", daemon=True)
        self._thread.start()

    @property
    def sent(self) -> int:
        """How many items have arrived."""
        return self._sent

    def put(self, item: T) -> None:
        """Take one item; never waits."""
        with self._lock:
            if self._closed:
                reason = "closed"
            elif len(self._waiting) >= self._limit:
                reason = "queue full"
            else:
                self._waiting.append(item)
                if len(self._waiting) == self._batch:
                    self._knocks.put(None)
                return
        self._losses.add(self._signal, reason, 1)

    def stop(self) -> None:
        """Take nothing more, and send what waits at once."""
        with self._lock:
            self._closed = True
        self._knocks.put(None)

    def join(self, timeout: float) -> None:
        """After :meth:`stop`: wait until all is sent, at most ``timeout`` seconds; the rest is lost."""
        self._thread.join(timeout)
        with self._lock:
            left = len(self._waiting) + self._under_way
            self._waiting.clear()
            self._under_way = 0
        if left:
            self._losses.add(self._signal, "closing", left)

    def _run(self) -> None:
        # else an instrumented HTTP library would trace the export of its own traces
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: FBT003 - the SDK's own way
        while not self._closed:
            with suppress(Empty):
                self._knocks.get(timeout=self._delay)
            while batch := self._next():
                self._deliver(batch)
        while batch := self._next():
            self._deliver(batch)

    def _next(self) -> list[T]:
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            self._under_way = len(batch)
        return batch

    def _deliver(self, batch: Sequence[T]) -> None:
        try:
            arrived = self._send(batch)
        except Exception:  # noqa: BLE001 - a border: an exporter that raises must not end the thread
            _log.warning("an export of %s failed", self._signal, exc_info=True)
            arrived = False
        with self._lock:
            count, self._under_way = self._under_way, 0  # 0 when closing gave them up
            if arrived:
                self._sent += count
        if count and not arrived:
            self._losses.add(self._signal, "export failed", count)


class Ticker:
    """Does something every ``interval`` seconds in a thread of its own, and a last time when it stops."""

    def __init__(self, do: Callable[[], object], interval: float) -> None:
        self._do = do
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlo-otel-metrics", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Once more, and no more; waits for that at most ``timeout`` seconds."""
        self._stopped.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: FBT003 - the SDK's own way
        going = True
        while going:
            going = not self._stopped.wait(self._interval)
            try:
                self._do()
            except Exception:  # noqa: BLE001 - a border: an exporter that raises must not end the thread
                _log.warning("an export of metrics failed", exc_info=True)
