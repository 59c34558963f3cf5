"""Times that a report is about, as people name them: ``7d``, ``2026-11``, from one day to another. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import frozen

__all__ = ["HOUR", "Period", "Stretch", "between", "last", "moment_of", "month", "this_month", "zone_of"]

HOUR = 3_600
_DAY = 24 * HOUR
_LAST = re.compile(r"([1-9]\d{0,3})([hdw])")
_MONTH = re.compile(r"(\d{4})-(\d{2})")


@frozen
class Stretch:
    """A part of a period in which the zone keeps one offset. Seconds; ``begin`` and ``end`` since 1970 UTC."""

    begin: int
    end: int
    offset: int


@frozen
class Period:
    """From ``begin`` to before ``end``, in whole hours of UTC: roll-ups know no less. Seconds since 1970 UTC.

    ``shifted`` says that the limits that were asked for lie within an hour and have been moved to its beginning, as
    have those of each day: the zone's offset from UTC is no whole number of hours, or a time within an hour was given.
    ``exact`` are the limits as they were meant.
    """

    begin: int
    end: int
    zone: ZoneInfo
    shifted: bool = False
    exact: tuple[int, int] = (0, 0)

    def stretches(self) -> Iterator[Stretch]:
        """The parts in which clocks are not put forward or back, in order."""
        begin = self.begin
        for day in range(self.begin, self.end, _DAY):
            after = min(day + _DAY, self.end)
            if _offset(day, self.zone) == _offset(after, self.zone):
                continue
            change = next(hour for hour in range(day, after + 1, HOUR) if self._offset_differs(hour, day))
            if change > begin:
                yield Stretch(begin, change, _offset(begin, self.zone))
            begin = change
        if begin < self.end:
            yield Stretch(begin, self.end, _offset(begin, self.zone))

    def _offset_differs(self, one: int, other: int) -> bool:
        return _offset(one, self.zone) != _offset(other, self.zone)


def zone_of(name: str) -> ZoneInfo:
    """The time zone called ``name``.

    Raises:
        ValueError: when there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(name) from error


def last(text: str, zone: ZoneInfo, now: datetime) -> Period:
    """The time up to now: ``24h`` hours, ``7d`` days or ``4w`` weeks, the current one included.

    Raises:
        ValueError: when ``text`` is none of these.
    """
    match = _LAST.fullmatch(text)
    if match is None:
        raise ValueError(text)
    count = int(match[1])
    try:
        if match[2] == "h":
            first = now - timedelta(hours=count - 1)
            return _period(first.replace(minute=0, second=0, microsecond=0), None, zone, now)
        days = count * 7 if match[2] == "w" else count
        return _period(_midnight(now.astimezone(zone).date() - timedelta(days=days - 1), zone), None, zone, now)
    except (OverflowError, ValueError) as error:
        raise ValueError(text) from error


def month(text: str, zone: ZoneInfo) -> Period:
    """The calendar month ``2026-11``.

    Raises:
        ValueError: when ``text`` is none.
    """
    match = _MONTH.fullmatch(text)
    if match is None:
        raise ValueError(text)
    year, number = int(match[1]), int(match[2])
    first = date(year, number, 1)
    after = date(year + number // 12, number % 12 + 1, 1)
    return _period(_midnight(first, zone), _midnight(after, zone), zone)


def this_month(zone: ZoneInfo, now: datetime) -> Period:
    """The current calendar month up to now."""
    first = now.astimezone(zone).date().replace(day=1)
    return _period(_midnight(first, zone), None, zone, now)


def between(begin: str, end: str | None, zone: ZoneInfo, now: datetime) -> Period:
    """From a day or time to before another, or to now; ISO 8601, in ``zone`` unless it names an offset.

    Raises:
        ValueError: when one of them is no time, or the end is not after the beginning.
    """
    first = moment_of(begin, zone)
    after = None if end is None else moment_of(end, zone)
    period = _period(first, after, zone, now)
    if period.end <= period.begin:
        raise ValueError(end or begin)
    return period


def _period(begin: datetime, end: datetime | None, zone: ZoneInfo, now: datetime | None = None) -> Period:
    """A period from the hour of ``begin`` to that of ``end``, or through the current one where there is no end."""
    first = int(begin.timestamp())
    after = int((end or (now or begin) + timedelta(hours=1)).timestamp())
    shifted = _offset(first, zone) % HOUR != 0 or first % HOUR != 0 or (end is not None and after % HOUR != 0)
    rounded = after - after % HOUR
    return Period(first - first % HOUR, rounded, zone, shifted, (first, rounded if end is None else after))


def _offset(moment: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


def moment_of(text: str, zone: ZoneInfo) -> datetime:
    """A day or time of ISO 8601, in ``zone`` unless it names an offset.

    Raises:
        ValueError: when ``text`` is none.
    """
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)
