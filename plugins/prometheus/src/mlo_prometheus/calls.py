"""What is remembered of a call while it lasts."""

from __future__ import annotations

from bisect import bisect_left

from .catalogue import DURATIONS
from .series import Gauge

__all__ = ["OpenAttempt", "OpenCall", "Pieces"]


class OpenAttempt:
    """An attempt under way. ``wraps``: another call, which is counted by itself, does its work."""

    __slots__ = ("inflight", "model", "plugin", "provider", "target", "wraps")

    def __init__(self, target: str, provider: str, plugin: str, model: str | None, inflight: Gauge | None) -> None:
        self.target = target
        self.provider = provider
        self.plugin = plugin
        self.model = model
        self.inflight = inflight
        self.wraps = inflight is None


class Pieces:
    """The times between the pieces of one stream. One reader at a time takes them, so there is no lock."""

    __slots__ = ("counts", "last", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(DURATIONS) + 1)
        self.sum = 0.0
        self.last: float | None = None

    def take(self, now: float) -> None:
        """A piece came at ``now``, in seconds of any monotonic clock."""
        if self.last is not None:
            elapsed = now - self.last
            self.counts[bisect_left(DURATIONS, elapsed)] += 1
            self.sum += elapsed
        self.last = now


class OpenCall:
    """A call under way. ``failed`` is the target and the error of the attempt that ended last without an answer."""

    __slots__ = ("attempts", "failed", "nested", "operation", "pieces", "project")

    def __init__(self, operation: str, project: str, *, nested: bool) -> None:
        self.operation = operation
        self.project = project
        self.nested = nested
        self.attempts: dict[int, OpenAttempt] = {}
        self.failed: tuple[str, str] | None = None
        self.pieces: Pieces | None = None

    def delegate(self) -> None:
        """Another call has begun inside this one: its attempt hands its work on.

        In a race it is not known whose work that is; routes among the racers are known to hand theirs on.
        """
        if len(self.attempts) == 1:
            for attempt in self.attempts.values():
                attempt.wraps = True

    def resumed(self) -> tuple[str, str] | None:
        """Target and error of the failure that an attempt which begins now is to make good, once per failure.

        An attempt that begins while others run is a race, not a fallback.
        """
        failed = self.failed
        if failed is None or self.attempts:
            return None
        self.failed = None
        return failed
