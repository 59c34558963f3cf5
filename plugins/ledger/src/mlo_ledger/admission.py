"""Who may go on: limits, the blocks that this process has of them, and what calls hold. In memory, without I/O."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count

from attrs import define

from .events import HoldUsed
from .limits import Limit
from .settling import WindowKey
from .windows import Period, period_of

__all__ = ["Admission", "Hold", "Lease", "Pot"]

_LOW = 4  # below this part of the block it is time for another
_WORTH = 8  # smaller blocks come near the limit, where nothing is fetched before it is needed


@define(eq=False)
class Lease:
    """A block of a window: what is free of it, and what calls hold or have used but the database has not taken off."""

    id: str
    period: Period
    requests: int = 0
    nano: int = 0
    owed_requests: int = 0
    owed_nano: int = 0


@define(eq=False)
class Hold:
    """What one call holds of a lease."""

    lease: Lease
    scope: str
    requests: int
    nano: int


@define(eq=False)
class Pot:
    """A limit, and the lease from which this process serves calls under it.

    ``single``: others are in need, so that nothing is to be kept for later. Until ``closed_until`` (of the monotonic
    clock) the database has said that there is no more. ``block`` is what the last grant was for.
    """

    limit: Limit
    lease: Lease | None = None
    single: bool = False
    closed_until: float = 0.0
    recall_failed_until: float = 0.0
    block: tuple[int, int] = (0, 0)

    def has(self, moment: int, nano: int) -> bool:
        """Whether a call at that time that may cost ``nano`` can be served from the lease."""
        lease = self.lease
        if lease is None or not lease.period.covers(moment):
            return False
        if self.limit.requests is not None and lease.requests < 1:
            return False
        return self.limit.nano is None or lease.nano >= nano

    @property
    def is_low(self) -> bool:
        """Whether another block should be fetched before this one is spent."""
        lease = self.lease
        if lease is None or self.single:
            return False
        requests = self.limit.requests is not None and lease.requests * _LOW < self.block[0] >= _WORTH
        return requests or (self.limit.nano is not None and lease.nano * _LOW < self.block[1] >= _WORTH)


class Admission:
    """All limits of this process. May be used from several threads."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._lock = threading.RLock()  # a finalizer may end a call while it is held
        self._numbers = count(1)
        self._pots: dict[str, tuple[Pot, ...]] = {}
        self._leases: dict[str, tuple[Lease, str]] = {}
        self.counts_money = self.has_limits = False

    def put(self, limits: Iterable[Limit]) -> None:
        """Add limits; one for the same scope and kind of period is replaced."""
        with self._lock:
            for limit in limits:
                known = {pot.limit.period: pot for pot in self._pots.get(limit.scope, ())}
                before = known.get(limit.period)
                is_same_window = before is not None and before.limit.time_zone == limit.time_zone
                if before is not None and is_same_window:
                    before.limit, before.closed_until = limit, 0.0
                else:
                    known[limit.period] = Pot(limit)
                self._pots[limit.scope] = tuple(known.values())
            self._look()

    def remove(self, scope: str) -> None:
        """Forget the limits of a scope."""
        with self._lock:
            self._pots.pop(scope, None)
            self._look()

    def _look(self) -> None:
        self.has_limits = bool(self._pots)
        self.counts_money = any(pot.limit.nano is not None for pots in self._pots.values() for pot in pots)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that are set."""
        with self._lock:
            return tuple(pot.limit for pots in self._pots.values() for pot in pots)

    def pots(self, scopes: Iterable[str]) -> tuple[Pot, ...]:
        """The limits that may refuse a call of these scopes."""
        pots = self._pots
        if not pots:
            return ()
        return tuple(
            pot
            for scope in scopes
            for pot in pots.get(scope, ())
            if pot.limit.overage == "block" and _is_some(pot.limit)
        )

    def take(self, pots: Sequence[Pot], moment: int, nano: int) -> list[Hold] | None:
        """Hold what a call needs of all these limits; nothing and ``None`` if one of them has too little."""
        with self._lock:
            for pot in pots:
                if not pot.has(moment, nano):
                    return None
            return [_held(pot, nano) for pot in pots]

    def lacking(self, pots: Iterable[Pot], moment: int, nano: int) -> list[Pot]:
        """Those of the limits that have too little in memory."""
        with self._lock:
            return [pot for pot in pots if not pot.has(moment, nano)]

    def end(self, holds: Iterable[Hold], *, counted: bool, nano: int) -> list[HoldUsed]:
        """A call is over: what it used up. The rest is free again; the used part is owed until it is committed."""
        used: list[HoldUsed] = []
        with self._lock:
            for hold in holds:
                lease = hold.lease
                requests, spent = (hold.requests if counted else 0), min(hold.nano, nano)
                lease.requests += hold.requests - requests
                lease.nano += hold.nano - spent
                lease.owed_requests -= hold.requests - requests
                lease.owed_nano -= hold.nano - spent
                if requests or spent:
                    used.append((lease.id, hold.scope, lease.period.key, lease.period.zone, requests, spent))
        return used

    def committed(self, used: Iterable[HoldUsed]) -> None:
        """The database has taken it off."""
        with self._lock:
            for lease, _scope, _period, _zone, requests, nano in used:
                found = self._leases.get(lease)
                if found is not None:
                    found[0].owed_requests -= requests
                    found[0].owed_nano -= nano

    def lease_for(self, pot: Pot, moment: int) -> tuple[str, Period]:
        """The id of the lease to ask for, and its period: the one at hand, or a new one if that is of another time."""
        with self._lock:
            period = period_of(pot.limit, moment)
            if pot.lease is not None and pot.lease.period == period:
                return pot.lease.id, period
            return f"{self._owner}-{next(self._numbers)}", period

    def granted(self, pot: Pot, lease: str, period: Period, requests: int, nano: int) -> None:
        """The database has granted this for a lease."""
        with self._lock:
            if not requests and not nano:
                return
            found = self._leases.get(lease)
            if found is None:
                found = self._leases[lease] = (Lease(lease, period), pot.limit.scope)
            found[0].requests += requests
            found[0].nano += nano
            if pot.lease is not found[0]:
                pot.lease = found[0]
            pot.block = requests, nano

    def recall(self, windows: set[WindowKey]) -> None:
        """Note in which windows others are in need."""
        with self._lock:
            for pots in self._pots.values():
                for pot in pots:
                    period = None if pot.lease is None else pot.lease.period
                    pot.single = period is not None and (pot.limit.scope, period.key, period.zone) in windows

    def unspent(self, moment: int, *, everything: bool = False) -> list[HoldUsed]:
        """Take out what is to go back: of past periods, of removed limits, and where others are in need."""
        with self._lock:
            kept = {
                id(pot.lease)
                for pots in self._pots.values()
                for pot in pots
                if pot.lease is not None and pot.lease.period.covers(moment) and not pot.single
            }
            back: list[HoldUsed] = []
            for lease, scope in list(self._leases.values()):
                if everything or id(lease) not in kept:
                    requests, nano = lease.requests, lease.nano
                    lease.requests = lease.nano = 0
                    if requests or nano:
                        back.append((lease.id, scope, lease.period.key, lease.period.zone, requests, nano))
                    self._forget_if_past(lease, moment)
            return back

    def _forget_if_past(self, lease: Lease, moment: int) -> None:
        is_open = lease.owed_requests or lease.owed_nano or lease.period.covers(moment)
        if not is_open:
            self._leases.pop(lease.id, None)

    def outstanding(self) -> dict[str, tuple[int, int]]:
        """What the database should have in the leases of this process."""
        with self._lock:
            return {
                lease.id: (lease.requests + lease.owed_requests, lease.nano + lease.owed_nano)
                for lease, _scope in self._leases.values()
            }

    @property
    def has_unspent(self) -> bool:
        """Whether anything could be given back."""
        with self._lock:
            return any(lease.requests or lease.nano for lease, _scope in self._leases.values())

    def low(self) -> list[Pot]:
        """Limits whose block is nearly spent."""
        with self._lock:
            return [pot for pots in self._pots.values() for pot in pots if pot.is_low]

    def held(self) -> dict[str, tuple[int, int]]:
        """Free requests and nano-units by scope."""
        with self._lock:
            found: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
            for lease, scope in self._leases.values():
                found[scope] = (found[scope][0] + lease.requests, found[scope][1] + lease.nano)
            return dict(found)


def _is_some(limit: Limit) -> bool:
    return limit.requests is not None or limit.nano is not None


def _held(pot: Pot, nano: int) -> Hold:
    lease = pot.lease
    if lease is None:  # pragma: no cover - `has` came before, under the same lock
        raise LookupError(pot.limit.scope)
    requests = 0 if pot.limit.requests is None else 1
    money = 0 if pot.limit.nano is None else nano
    lease.requests -= requests
    lease.nano -= money
    lease.owed_requests += requests
    lease.owed_nano += money
    return Hold(lease, pot.limit.scope, requests, money)
