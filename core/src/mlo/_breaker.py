"""Circuit breaker of one target: a state machine without a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from .settings import BreakerSettings

__all__ = ["Breaker", "BreakerState"]

BreakerState: TypeAlias = Literal["closed", "open", "half-open"]


def _ignore(_state: BreakerState, _hinted: bool) -> None:  # noqa: FBT001 - a callback
    pass


class Breaker:
    """Closed lets everything through; open nothing; half-open one probe at a time.

    ``now`` is any monotonic clock in seconds, the same one in every call. ``changed`` hears of each new state, and
    whether a hint from outside was the reason.
    """

    __slots__ = ("_changed", "_failures", "_hinted", "_probing", "_settings", "_trips", "_until", "state")

    def __init__(self, settings: BreakerSettings, changed: Callable[[BreakerState, bool], None] = _ignore) -> None:
        self._settings = settings
        self._changed = changed
        self._failures = 0
        self._trips = 0
        self._until = 0.0
        self._hinted = False
        self._probing = False
        self.state: BreakerState = "closed"

    def retry_in(self, now: float) -> float:
        """Seconds until the next attempt would be let through; 0 if it would be now."""
        if self.state == "closed":
            return 0.0
        if self.state == "half-open":
            # A probe is under way: nobody knows how long it takes, so ask again in as long as a trip lasts.
            return self._settings.open_for if self._probing else 0.0
        return max(0.0, self._until - now)

    def enter(self, now: float) -> bool:
        """Ask to make an attempt. After ``True`` one of the three methods below must follow."""
        if self.state == "closed":
            return True
        if self.retry_in(now) > 0.0:
            return False
        self._become("half-open")
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The attempt showed that the target is well."""
        self._probing = False
        self._failures = 0
        if self.state == "half-open":
            self._trips = 0
            self._become("closed")

    def failed(self, now: float) -> None:
        """The attempt showed that the target is ill."""
        was_probe, self._probing = self._probing and self.state == "half-open", False
        self._failures += 1
        may_trip = self.state == "closed" or self._hinted  # what was a hint is known first-hand now
        if was_probe or (may_trip and self._failures >= self._settings.failures):
            self._hinted = False
            pause = self._settings.open_for * 2.0 ** min(self._trips, 30)
            self._until = now + min(pause, self._settings.max_open_for)
            self._trips += 1
            self._become("open")

    def hint(self, now: float, open_for: float) -> None:
        """Somebody else has found the target ill, for so many seconds from now; well, if that is not more than 0.

        What this breaker has found out itself is not touched. Ill by a hint is never for longer than ``max_open_for``,
        and ends with a probe like any other pause.
        """
        if open_for > 0 and self.state == "closed":
            self._hinted = True
            self._until = now + min(open_for, self._settings.max_open_for)
            self._become("open", hinted=True)
        elif self._hinted and self.state == "open":
            if open_for > 0:
                self._until = max(self._until, now + min(open_for, self._settings.max_open_for))
            else:
                self._become("closed", hinted=True)

    def inconclusive(self) -> None:
        """The attempt ended without saying anything about the target's health, e.g. it was cancelled."""
        self._probing = False

    def _become(self, state: BreakerState, *, hinted: bool = False) -> None:
        if state != self.state:
            self.state = state
            self._hinted = hinted and state == "open"
            self._changed(state, hinted)
