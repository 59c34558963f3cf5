"""What the writer's thread does now and then: signs of life, orphans, prices, limits that only warn, old events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time_ns

from sqlalchemy import Connection, select

from .admission import Admission
from .bank import LEASE_SECONDS
from .costing import Costing, imported_prices
from .database import Database
from .events import HoldUsed
from .leasing import delete_empty, ensure_window, forget_owner, give_back, lose_leases, renew
from .limits import Limit
from .recovery import recover
from .retention import delete_old
from .schema import quota_window
from .state import Watch
from .windows import period_of

__all__ = ["Chores"]

_EVERY = 5.0
_CLEAN_EVERY = 3_600.0
_DAY = 86_400 * 1_000_000


class Chores:
    """Used by the writer's thread only, after opening."""

    def __init__(self, database: Database, folder: Path, owner: str, costing: Costing, keep_days: int | None) -> None:
        self._database, self._folder, self._owner, self._costing = database, folder, owner, costing
        self._keep_days = keep_days
        self._admission: Admission | None = None
        self._watch: Watch | None = None
        self._next = self._next_cleaning = 0.0
        self._leased = False

    def watch(self, admission: Admission, watch: Watch) -> None:
        """Look after these from now on."""
        self._admission, self._watch = admission, watch

    @property
    def are_due(self) -> bool:
        """Whether it is time."""
        return monotonic() >= self._next

    def hurry(self) -> None:
        """Let it be time."""
        self._next = 0.0

    def run(self) -> None:
        """Do what is due."""
        self._next = monotonic() + _EVERY
        recovered = recover(self._database, self._folder)
        if self._watch is not None and recovered:
            self._watch.count(indeterminate=recovered)
        self._costing.use(self._database.read_now(imported_prices))
        if self._admission is not None and self._admission.limits:
            self._look_after_limits(self._admission)
        if self._keep_days is not None and monotonic() >= self._next_cleaning:
            self._next_cleaning = monotonic() + _CLEAN_EVERY
            delete_old(self._database, time_ns() // 1000 - self._keep_days * _DAY)

    def leave(self, connection: Connection, unspent: Sequence[HoldUsed]) -> None:
        """Give back everything: this owner is no more."""
        give_back(connection, unspent)
        forget_owner(connection, self._owner)

    def _look_after_limits(self, admission: Admission) -> None:
        now = time_ns() // 1000
        for limit in admission.limits:
            if limit.overage == "warn":
                self._ensure(limit, now)
        kept = list(admission.outstanding())

        def work(connection: Connection) -> None:
            renew(connection, self._owner, now + LEASE_SECONDS * 1_000_000)
            lose_leases(connection, now=now)
            delete_empty(connection, self._owner, kept)

        self._database.write_now(work)
        if self._watch is not None:
            self._watch.over(self._database.read_now(_over(admission.limits, now)))

    def _ensure(self, limit: Limit, now: int) -> None:
        period = period_of(limit, now)
        self._database.write_now(lambda connection: ensure_window(connection, limit, period))


def _over(limits: Sequence[Limit], now: int) -> Callable[[Connection], tuple[str, ...]]:
    """Which limits that only warn have been passed."""
    warning = {limit.scope: limit for limit in limits if limit.overage == "warn"}

    def look(connection: Connection) -> tuple[str, ...]:
        columns = quota_window.c
        if not warning:
            return ()
        query = select(quota_window).where(columns.overage == "warn", columns.begins <= now, columns.resets > now)
        found: list[str] = []
        for window in connection.execute(query).mappings():
            limit = warning.get(window["scope"])
            if limit is None:
                continue
            requests = limit.requests is not None and window["used_requests"] > limit.requests
            if requests or (limit.nano is not None and window["used_nano"] > limit.nano):
                found.append(window["scope"])
        return tuple(sorted(found))

    return look
