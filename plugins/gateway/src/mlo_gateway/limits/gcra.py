"""The rate limit itself, in whole numbers: the generic cell rate algorithm as a leaky meter.

A scope has a *level*, which each request raises by its cost and time lowers evenly. A request is let in if the level
stays within the burst. Both readings of the algorithm, this one and the one by theoretical arrival times, admit the
same requests; this one adds and subtracts integers only, so that waiting times are exact, in Python as in Lua.

The unit of a level is a token times a microsecond: a cost of one weighs ``PERIOD``, and each microsecond takes
``limit`` away. All numbers stay below 2**53, where Lua's numbers cease to be whole.
"""

from __future__ import annotations

from attrs import frozen

__all__ = ["PERIOD", "Rate", "corrected", "level_at", "remaining", "taken", "wait_for"]

PERIOD = 60_000_000
"""The minute that limits are per, in microseconds."""


@frozen(kw_only=True)
class Rate:
    """``limit`` units a minute, of which ``burst`` may come at once."""

    limit: int
    burst: int


def level_at(level: int, at: int, rate: Rate, now: int) -> int:
    """What has become of a ``level``, measured at the time ``at``, by the time ``now``. Microseconds of any clock.

    Over a step back of the clock the level stays as it is. Whoever keeps the state notes the new time even when
    nothing is taken: else nobody would get in until the clock has caught up.
    """
    if now <= at:
        return level
    left = level - (now - at) * rate.limit
    return max(left, 0)


def wait_for(level: int, rate: Rate, cost: int) -> int:
    """In how many microseconds a cost fits in, ``0`` for now. More than a whole burst is taken for a whole burst."""
    over = level + (min(cost, rate.burst) - rate.burst) * PERIOD
    return 0 if over <= 0 else -(-over // rate.limit)


def taken(level: int, rate: Rate, cost: int) -> int:
    """The level after a cost that fits in."""
    return level + min(cost, rate.burst) * PERIOD


def corrected(level: int, rate: Rate, reserved: int, used: int) -> int:
    """The level once it is known that ``used`` was the cost where ``reserved`` had been taken for it.

    What was used beyond the reservation is a debt that later requests wait for; what is given back never brings the
    level below zero.
    """
    return max(0, level + (used - min(reserved, rate.burst)) * PERIOD)


def remaining(level: int, rate: Rate) -> int:
    """How many whole units fit in now."""
    return max(0, rate.burst - -(-level // PERIOD))
