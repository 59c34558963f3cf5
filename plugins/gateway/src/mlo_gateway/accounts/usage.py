"""Looks at what was used, from the ledger's hourly sums."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from attrs import frozen

from mlo_ledger.errors import SchemaMissing
from mlo_ledger.migrate import check_version
from mlo_ledger.reports.periods import HOUR, Period, this_month
from mlo_ledger.reports.usage import Line, Report, usage_report

from .acting import Looking
from .errors import conflict

__all__ = ["UsageWish", "usage_of"]

_SECOND = 1_000_000


@frozen(kw_only=True)
class UsageWish:
    """What to report: broken down ``by`` what, from when to when (microseconds), and of whom.

    Without ``begin`` it is the current calendar month in ``zone``.
    """

    by: tuple[str, ...]
    zone: ZoneInfo
    begin: int | None = None
    end: int | None = None
    organization: str | None = None
    project: str | None = None
    key: str | None = None


def usage_of(look: Looking, wish: UsageWish) -> Report:
    """What was used in what the actor covers; of anything else, nothing.

    Raises:
        ActRefused: ``conflict`` when the end lies before the beginning, or there is no ledger in this database.
    """
    try:
        check_version(look.connection)
    except SchemaMissing as error:
        raise conflict("there is no ledger in this database") from error
    period = _period(look, wish)
    wanted = {"organization": wish.organization, "project": wish.project, "key": wish.key}
    only = {name: value for name, value in wanted.items() if value is not None}
    if look.actor.reach != "gateway":
        own = look.actor.project if look.actor.reach == "project" else look.actor.organization
        if only.setdefault(look.actor.reach, own) != own:
            return Report(period=period, by=wish.by, lines=(), total=Line())
    return usage_report(look.connection, period, wish.by, {name: (value,) for name, value in only.items()})


def _period(look: Looking, wish: UsageWish) -> Period:
    now = look.now // _SECOND
    end = now + HOUR if wish.end is None else _within(wish.end)
    if wish.begin is None:
        begin = this_month(wish.zone, datetime.fromtimestamp(min(now, end), UTC)).begin
    else:
        begin = _within(wish.begin)
    period = Period(begin - begin % HOUR, end - end % HOUR, wish.zone)
    if period.end < period.begin:
        raise conflict("the end lies before the beginning", param="end")
    return period


def _within(moment: int) -> int:
    """A time in seconds; nothing was used before 1970, and nothing will have been after 2242."""
    return min(max(moment // _SECOND, 0), 2**33)
