"""Periods of limits, and how large a part of a limit a process takes at a time. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from attrs import frozen

from .limits import Limit, PeriodKind

__all__ = ["Period", "granted", "period_of", "scopes_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PARTS = 16  # a block is at most this part of what is left
_BLOCK = 64  # and at most for so many calls


@frozen
class Period:
    """A calendar month or day in a time zone: ``begins`` and ``resets`` are microseconds since 1970 UTC."""

    key: str
    zone: str
    begins: int
    resets: int

    def covers(self, moment: int) -> bool:
        """Whether ``moment`` is part of it; the end is not."""
        return self.begins <= moment < self.resets


def period_of(limit: Limit, moment: int) -> Period:
    """The period of ``limit`` in which ``moment`` (microseconds since 1970 UTC) lies.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: when there is no such time zone.
    """
    day = (_EPOCH + timedelta(microseconds=moment)).astimezone(ZoneInfo(limit.time_zone)).date()
    return _period(limit.period, limit.time_zone, day if limit.period == "day" else day.replace(day=1))


@lru_cache(maxsize=256)
def _period(kind: PeriodKind, zone: str, first: date) -> Period:
    if kind == "day":
        return Period(first.isoformat(), zone, _midnight(first, zone), _midnight(first + timedelta(days=1), zone))
    after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return Period(first.isoformat()[:7], zone, _midnight(first, zone), _midnight(after, zone))


def _midnight(day: date, zone: str) -> int:
    return (datetime.combine(day, time(), tzinfo=ZoneInfo(zone)) - _EPOCH) // _MICROSECOND


def granted(left: int, asked: int, *, single: bool) -> int:
    """How much of what is ``left`` of a limit goes to a process whose waiting calls need ``asked``.

    More than is asked for as long as there is plenty, so that later calls need no database; near the limit, or when
    others have been asked to give back (``single``), not more than that. Never more than is left.
    """
    if single:
        return max(0, min(left, asked))
    spare = min(left // _PARTS, asked * _BLOCK)
    return max(0, min(left, max(asked, spare)))


def scopes_of(organization: str | None, project: str | None, key: str | None) -> tuple[str, ...]:
    """The scopes whose limits apply to a call."""
    found = ["all"]
    if organization is not None:
        found.append(f"organization:{organization}")
    if project is not None:
        found.append(f"project:{project}")
    if key is not None:
        found.append(f"key:{key}")
    return tuple(found)
