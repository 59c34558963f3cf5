"""Serving calls that wait: blocks of limits from the database, recalls, and the refusals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic, time_ns

from mlo.errors import CallRefused

from .admission import Admission, Pot
from .database import Database
from .errors import DatabaseUnavailable
from .leasing import Ask, Grant, ensure_window, lease, recalled, reconcile
from .settling import WindowKey
from .tickets import Ticket
from .windows import period_of

__all__ = ["LEASE_SECONDS", "Bank", "refusal"]

LEASE_SECONDS = 60
_CLOSED = 0.2  # s in which "there is no more" is not asked again
_IN_VAIN = 5.0  # s in which others are not asked again for what they did not give
_LOOK = 0.04  # s between two looks whether others are in need


class Bank:
    """Used by the writer's thread only."""

    def __init__(self, database: Database, admission: Admission, owner: str) -> None:
        self._database, self._admission, self._owner = database, admission, owner
        self._windows: set[WindowKey] = set()
        self._looked = 0.0

    def reconcile(self) -> None:
        """Put right what a commit of unknown fate may have left."""
        outstanding = self._admission.outstanding()
        self._database.write_now(lambda connection: reconcile(connection, self._owner, outstanding))

    def look(self) -> None:
        """See whether somebody needs what this process keeps for later."""
        if not self._admission.has_unspent or monotonic() - self._looked < _LOOK:
            return
        self._looked = monotonic()
        now = time_ns() // 1000
        self._admission.recall(self._database.read_now(lambda connection: recalled(connection, self._owner, now)))

    def serve(self, tickets: Sequence[Ticket]) -> set[Ticket]:
        """Fetch what these calls lack: those that need wait no more, admitted or refused."""
        wants = self._wants(tickets)
        if not wants:
            return {ticket for ticket in tickets if ticket.try_take()}
        grants = self._fetched(wants)
        answered: set[Ticket] = set()
        for ticket in tickets:
            if ticket.try_take() or self._refused(ticket, grants):
                answered.add(ticket)
        return answered

    def refuse_unasked(self, ticket: Ticket, error: DatabaseUnavailable) -> None:
        """The database cannot say whether there is something left: then there is not."""
        scope = ticket.pots[0].limit.scope
        message = f"nobody can say what is left of the limit of {scope}: {error}"
        refusal = CallRefused(message, reason="cannot-account", scope=scope, retry_after=1.0)
        refusal.__cause__ = error
        ticket.refuse(refusal)

    def _wants(self, tickets: Iterable[Ticket]) -> dict[Pot, tuple[int, int, int]]:
        """Per limit: requests and nano-units that waiting calls lack, and their time."""
        wants: dict[Pot, tuple[int, int, int]] = {}
        for ticket in tickets:
            for pot in ticket.pots:
                requests, nano, _ = wants.get(pot, (0, 0, 0))
                wants[pot] = requests + 1, nano + ticket.nano, ticket.moment
        for pot, (requests, nano, moment) in list(wants.items()):
            if pot.lease is not None and pot.lease.period.covers(moment):
                short = max(0, requests - pot.lease.requests), max(0, nano - pot.lease.nano)
                wants[pot] = *short, moment
        now = time_ns() // 1000
        for pot in self._admission.low():
            wants.setdefault(pot, (1, max(1, pot.block[1] // 64), now))
        return wants

    def _fetched(self, wants: dict[Pot, tuple[int, int, int]]) -> dict[Pot, Grant]:
        asks: list[Ask] = []
        for pot, (requests, nano, moment) in wants.items():
            lease_id, period = self._admission.lease_for(pot, moment)
            key = (pot.limit.scope, period.key, period.zone)
            if key not in self._windows:
                limit = pot.limit
                self._database.write_now(
                    lambda connection, limit=limit, period=period: ensure_window(connection, limit, period)  # type: ignore[misc]  # bound now
                )
                self._windows.add(key)
            asks.append(
                Ask(limit=pot.limit, period=period, lease=lease_id, owner=self._owner, requests=requests, nano=nano)
            )
        now = time_ns() // 1000
        expires = now + LEASE_SECONDS * 1_000_000
        grants = self._database.write_now(lambda connection: lease(connection, asks, now=now, expires=expires))
        for pot, ask, grant in zip(wants, asks, grants, strict=True):
            self._admission.granted(pot, ask.lease, ask.period, grant.requests, grant.nano)
        return dict(zip(wants, grants, strict=True))

    def _refused(self, ticket: Ticket, grants: dict[Pot, Grant]) -> bool:
        """Refuse the call, unless somebody else may give back what it needs."""
        now = monotonic()
        short = self._admission.lacking(ticket.pots, ticket.moment, ticket.nano)
        for pot in short:
            grant = grants.get(pot)
            if grant is None or _had_enough(pot, grant, ticket.nano):
                continue  # another call was quicker: ask again
            waits_for_requests = pot.limit.requests is not None and grant.others_requests > 0
            waits_for_money = pot.limit.nano is not None and grant.others_nano > 0
            if (waits_for_requests or waits_for_money) and now >= pot.recall_failed_until:
                if ticket.waits(now):
                    continue
                pot.recall_failed_until = now + _IN_VAIN
            pot.closed_until = now + _CLOSED
            ticket.refuse(refusal(pot, ticket.moment))
            return True
        return False


def _had_enough(pot: Pot, grant: Grant, nano: int) -> bool:
    """Whether what the window has left beyond the grant would do for a call."""
    has_requests = pot.limit.requests is None or bool(grant.left_requests)
    return has_requests and (pot.limit.nano is None or (grant.left_nano or 0) >= nano)


def refusal(pot: Pot, moment: int) -> CallRefused:
    """The error for a call that a limit has no room for."""
    limit = pot.limit
    period = period_of(limit, moment)
    retry_after = max(0.0, (period.resets - time_ns() // 1000) / 1_000_000)
    has_requests = limit.requests is None or (pot.lease is not None and pot.lease.requests > 0)
    if limit.requests is not None and not has_requests:
        message = f"{limit.scope} has used its {limit.requests} requests of {period.key}"
        return CallRefused(message, reason="requests-exhausted", scope=limit.scope, retry_after=retry_after)
    budget = (limit.nano or 0) / 1_000_000_000
    message = f"{limit.scope} has no room for this call in its budget of {budget:.2f} RUB for {period.key}"
    return CallRefused(message, reason="budget-exhausted", scope=limit.scope, retry_after=retry_after)
