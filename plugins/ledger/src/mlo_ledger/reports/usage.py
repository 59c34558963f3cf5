"""Usage and costs of a period, added up from the hourly sums of the ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from attrs import evolve, field, frozen
from sqlalchemy import ColumnElement, Connection, Integer, case, func, literal, select

from mlo_ledger.schema import usage_hour

from .periods import HOUR, Period, Stretch

__all__ = ["NAMES", "TIMES", "Line", "Report", "usage_report"]

TIMES = ("day", "hour", "month")
"""What a report can be broken down by in time, beside the names in ``NAMES``."""
_COLUMNS = {
    "organization": usage_hour.c.organization,
    "project": usage_hour.c.project,
    "key": usage_hour.c.key_id,
    "provider": usage_hour.c.provider,
    "model": usage_hour.c.model,
    "route": usage_hour.c.route,
    "status": usage_hour.c.status,
}
NAMES = tuple(_COLUMNS)
"""By whom and what a report can be broken down and narrowed."""
_COUNTS = (
    "calls",
    "attempts",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "tool_tokens",
    "unpriced",
    "estimated",
)
# a caller that leaves is no failure of ours
_FAILURES = ("error", "refused", "indeterminate")
_DAY = 24 * HOUR


@frozen(kw_only=True)
class Line:
    """The sums of one group, whose names are in ``keys``.

    ``costs`` are exact nano-units by currency. They lack the costs of ``unpriced`` attempts, which nobody knows. Tokens
    of ``estimated`` attempts were counted by us, not by the vendor; of ``indeterminate`` ones nobody knows whether the
    vendor served and charged them.
    """

    keys: tuple[str, ...] = ()
    calls: int = 0
    failed: int = 0
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    tool_tokens: int = 0
    costs: Mapping[str, int] = field(factory=dict)
    unpriced: int = 0
    estimated: int = 0
    indeterminate: int = 0

    def plus(self, other: Line) -> Line:
        """The sums of both; the names are those of this line."""
        costs = defaultdict(int, self.costs)
        for currency, nano in other.costs.items():
            costs[currency] += nano
        counts = (*_COUNTS, "failed", "indeterminate")
        return evolve(self, costs=dict(costs), **{name: getattr(self, name) + getattr(other, name) for name in counts})


@frozen(kw_only=True)
class Report:
    """The lines of a period broken down by the names ``by``: in order of time, then by falling cost and use."""

    period: Period
    by: tuple[str, ...]
    lines: tuple[Line, ...]
    total: Line


def usage_report(
    connection: Connection, period: Period, by: Sequence[str], only: Mapping[str, Sequence[str]] | None = None
) -> Report:
    """Add up what lies in ``period``, a line per combination of ``by`` (of ``TIMES`` and ``NAMES``).

    ``only`` narrows by name: one of its values must be the one in the ledger.
    """
    wanted = [_COLUMNS[name].in_(values) for name, values in (only or {}).items() if values]
    lines: dict[tuple[str, ...], Line] = {}
    total = Line()
    for stretch in _known(connection, period).stretches():
        for line in _lines(connection, stretch, by, wanted):
            lines[line.keys] = lines.get(line.keys, Line(keys=line.keys)).plus(line)
            total = total.plus(line)
    return Report(period=period, by=tuple(by), lines=tuple(_sorted(lines.values(), by)), total=total)


def _known(connection: Connection, period: Period) -> Period:
    """The part of the period for which there are sums: somebody may ask for the last thousand years."""
    limits = select(func.min(usage_hour.c.hour), func.max(usage_hour.c.hour))
    first, last = connection.execute(limits).one()
    if first is None:
        return evolve(period, end=period.begin)
    return evolve(period, begin=max(period.begin, int(first)), end=min(period.end, int(last) + HOUR))


def _lines(
    connection: Connection, stretch: Stretch, by: Sequence[str], wanted: Iterable[ColumnElement[bool]]
) -> Iterator[Line]:
    """The groups of one stretch; the same group comes once per currency."""
    groups = [_group(name, stretch) for name in by]
    failed = _sum_where(usage_hour.c.calls, usage_hour.c.status.in_(_FAILURES))
    doubtful = _sum_where(usage_hour.c.attempts, usage_hour.c.status == "indeterminate")
    sums = [func.sum(usage_hour.c[name]) for name in _COUNTS]
    inside = [usage_hour.c.hour >= stretch.begin, usage_hour.c.hour < stretch.end]
    query = (
        select(*groups, usage_hour.c.currency, func.sum(usage_hour.c.cost_nano), failed, doubtful, *sums)
        .where(*inside, *wanted)
        .group_by(*groups, usage_hour.c.currency)
    )
    for row in connection.execute(query):
        keys = tuple(_name(name, value, stretch) for name, value in zip(by, row[: len(by)], strict=True))
        # PostgreSQL adds up to decimals
        cost, failures, doubts, *counts = (int(str(number)) for number in row[len(by) + 1 :])
        currency = str(row[len(by)])
        costs = {currency: cost} if currency else {}
        named = dict(zip(_COUNTS, counts, strict=True))
        yield Line(keys=keys, costs=costs, failed=failures, indeterminate=doubts, **named)


def _group(name: str, stretch: Stretch) -> ColumnElement[str] | ColumnElement[int]:
    if name == "hour":
        return usage_hour.c.hour
    if name in TIMES:
        # an hour in which a day begins belongs to that day, as in the limits of the period
        shift = -(-stretch.offset // HOUR) * HOUR
        # whole numbers written out, not bound: PostgreSQL must see that what is selected is what is grouped by
        local = usage_hour.c.hour + literal(shift, Integer, literal_execute=True)
        return local // literal(_DAY, Integer, literal_execute=True)
    return _COLUMNS[name]


def _sum_where(column: ColumnElement[int], condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, column), else_=0))


def _name(by: str, value: object, stretch: Stretch) -> str:
    """A day or an hour as people in the zone write it; other names as they are."""
    if by not in TIMES:
        return str(value)
    number = int(str(value))
    if by == "hour":
        return datetime.fromtimestamp(number + stretch.offset, UTC).strftime("%Y-%m-%d %H:%M") + _sign(stretch.offset)
    return datetime.fromtimestamp(number * _DAY, UTC).strftime("%Y-%m-%d" if by == "day" else "%Y-%m")


def _sign(offset: int) -> str:
    """The offset as ISO 8601 writes it: an hour comes twice where clocks are put back."""
    hours, minutes = divmod(abs(offset) // 60, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}"


def _sorted(lines: Iterable[Line], by: Sequence[str]) -> list[Line]:
    times = [(place, name) for place, name in enumerate(by) if name in TIMES]

    def order(line: Line) -> tuple[object, ...]:
        when = tuple(_moment(name, line.keys[place]) for place, name in times)
        return when, -sum(line.costs.values()), -line.calls, -line.attempts, line.keys

    return sorted(lines, key=order)


def _moment(by: str, written: str) -> str:
    """A text that sorts as the times do: the hour that comes twice has the later offset first."""
    return str(datetime.fromisoformat(written).astimezone(UTC)) if by == "hour" else written
