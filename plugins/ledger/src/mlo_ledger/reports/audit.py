"""Whether the books are in order: every cost and every sum, worked out anew from the events.

::

    price rows ─► cost of each event ─┐
    events ───────────────────────────┼─► hourly sums    compared with usage_hour
                                      └─► used of limits compared with quota_window
    leases ─────────────────────────────► reserved       compared with quota_window

All of it must be read from one state of the tables. Events are read once, one after another: an audit of ten million
takes minutes, and memory for the hourly sums only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen
from sqlalchemy import Connection, RowMapping, func, select

from mlo_ledger.costing import VENDOR
from mlo_ledger.events import AT
from mlo_ledger.pricing import PriceRow, cost_of, is_imported, price_id
from mlo_ledger.retention import events_from
from mlo_ledger.schema import quota_lease, quota_window, usage_event, usage_hour
from mlo_ledger.sums import KEY, MEASURES, HourKey, hour_sums, scopes_of_row, window_nano

from .stored_prices import stored_prices

__all__ = ["Audit", "Difference", "Kind", "audit"]

Kind: TypeAlias = Literal["price", "cost", "hour", "window", "lease"]
_SHOWN = 20
_AT_ONCE = 1_000
_SECOND = 1_000_000
_ID, _TS, _STATUS, _REQUESTS = (AT[name] for name in ("id", "ts", "status", "requests"))
_PRICE, _COST, _CURRENCY, _OPERATION = (AT[name] for name in ("price_id", "cost_nano", "currency", "operation"))
_TOKENS: Mapping[str, int] = {
    kind: AT[f"{kind}_tokens"] for kind in ("prompt", "completion", "cached", "tool", "reasoning")
}
_USED = ("used_requests", "used_nano", "doubtful_requests", "doubtful_nano")
_RESERVED = ("reserved_requests", "reserved_nano")


@frozen(kw_only=True)
class Difference:
    """Something that does not agree: ``kind`` of what, ``where`` it is, what the events make it, what was ``found``."""

    kind: Kind
    where: str
    expected: str
    found: str


@frozen(kw_only=True)
class Audit:
    """What was looked at, and what does not agree: the first differences of each kind, and how many there are.

    ``unchecked`` windows began before the oldest event that is kept, as do the hourly sums before it. The costs of
    ``vendor`` events are what vendors themselves said: there is nothing to work out.
    """

    events: int
    vendor: int
    prices: int
    hours: int
    windows: int
    unchecked: int
    differences: tuple[Difference, ...]
    counts: Mapping[Kind, int]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.counts


@define
class _Found:
    shown: list[Difference] = field(factory=list)
    counts: Counter[Kind] = field(factory=Counter)

    def add(self, kind: Kind, where: str, expected: object, found: object) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= _SHOWN:
            self.shown.append(Difference(kind=kind, where=where, expected=str(expected), found=str(found)))


def audit(connection: Connection) -> Audit:
    """Look through the whole ledger; ``connection`` must see one state of it."""
    found = _Found()
    prices = stored_prices(connection)
    for row in prices:
        if is_imported(row) and row.id != price_id(row):
            found.add("price", f"{row.provider}/{row.model}", row.id, price_id(row))
    kept_from = events_from(connection)
    windows = _Windows(connection, kept_from)
    events = _Events(connection, {row.id: row for row in prices}, windows.count, found)
    sums = hour_sums(events)
    hours = _compare_hours(connection, sums, kept_from // _SECOND, found)
    windows.compare(found)
    return Audit(
        events=events.seen,
        vendor=events.vendor,
        prices=len(prices),
        hours=hours,
        windows=len(windows.checked),
        unchecked=windows.unchecked,
        differences=tuple(found.shown),
        counts=dict(found.counts),
    )


class _Events:
    """All events, one after another; each is checked and counted as it passes."""

    def __init__(
        self,
        connection: Connection,
        prices: Mapping[str | None, PriceRow],
        count: Callable[[Sequence[Any]], None],
        found: _Found,
    ) -> None:
        self.seen = self.vendor = 0
        self._connection, self._prices, self._count, self._found = connection, prices, count, found

    def __iter__(self) -> Iterator[Sequence[Any]]:
        reading = self._connection.execution_options(yield_per=_AT_ONCE)
        for row in reading.execute(select(usage_event)):
            self.seen += 1
            self._check_cost(row)
            self._count(row)
            yield row

    def _check_cost(self, row: Sequence[Any]) -> None:
        if row[_PRICE] == VENDOR and row[_COST] is not None:
            self.vendor += 1
            return
        price = self._prices.get(row[_PRICE])
        if row[_PRICE] is not None and price is None:
            self._found.add("cost", row[_ID], f"price {row[_PRICE]}", "no such price")
            return
        tokens = {kind: row[place] for kind, place in _TOKENS.items()}
        expected = None if price is None else cost_of(price.price, operation=row[_OPERATION], **tokens)
        currency = None if price is None or expected is None else price.price.currency
        if expected != row[_COST] or (expected is not None and currency != row[_CURRENCY]):
            made = _money(expected, currency)
            self._found.add("cost", row[_ID], made, _money(row[_COST], row[_CURRENCY]))


def _money(nano: int | None, currency: str | None) -> str:
    return f"{'unknown' if nano is None else nano} {currency or ''}".rstrip()


def _compare_hours(connection: Connection, sums: dict[HourKey, list[int]], kept_from: int, found: _Found) -> int:
    """Compare the sums that are kept with those of the events; how many there are."""
    count = 0
    query = select(usage_hour).where(usage_hour.c.hour >= kept_from)
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(query).mappings():
        count += 1
        key = tuple(row[name] for name in KEY)
        expected = sums.pop(key, None)
        kept = [row[name] for name in MEASURES]
        if kept != (expected or [0] * len(MEASURES)):
            found.add("hour", _hour(key), _measures(expected, kept), _measures(kept, expected))
    for missing, expected in sums.items():
        if missing[0] >= kept_from and any(expected):
            found.add("hour", _hour(missing), _measures(expected, None), "missing")
    return count


def _hour(key: Sequence[object]) -> str:
    return "/".join(str(part) for part in key)


def _measures(some: Sequence[int] | None, others: Sequence[int] | None) -> str:
    """Those measures that differ."""
    if some is None:
        return "none"
    pairs = zip(MEASURES, some, others or [0] * len(some), strict=True)
    return ", ".join(f"{name} {value}" for name, value, other in pairs if value != other)


class _Windows:
    """What has been used of limits, counted anew."""

    def __init__(self, connection: Connection, kept_from: int) -> None:
        rows = connection.execute(select(quota_window)).mappings().all()
        self.checked = [row for row in rows if row["begins"] >= kept_from]
        self.unchecked = len(rows) - len(self.checked)
        self._used: list[list[int]] = [[0] * len(_USED) for _ in self.checked]
        self._by_scope: dict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(self.checked):
            self._by_scope[row["scope"]].append(place)
        self._reserved = _reserved(connection)

    def count(self, row: Sequence[Any]) -> None:
        """Count an event in the windows that it belongs to."""
        if not self.checked:
            return
        requests, nano = row[_REQUESTS], window_nano(row)
        for scope in scopes_of_row(row):
            for place in self._by_scope.get(scope, ()):
                window = self.checked[place]
                if window["begins"] <= row[_TS] < window["resets"]:
                    amounts = (requests, nano, requests, nano) if row[_STATUS] == "indeterminate" else (requests, nano)
                    for number, amount in enumerate(amounts):
                        self._used[place][number] += amount

    def compare(self, found: _Found) -> None:
        """Compare what was counted, and what leases hold, with what the windows say."""
        for window, used in zip(self.checked, self._used, strict=True):
            _compare(found, "window", window, dict(zip(_USED, used, strict=True)))
            reserved = self._reserved.get((window["scope"], window["period"], window["zone"]), (0, 0))
            _compare(found, "lease", window, dict(zip(_RESERVED, reserved, strict=True)))


def _compare(found: _Found, kind: Kind, window: RowMapping, expected: Mapping[str, int]) -> None:
    where = f"{window['scope']} {window['period']}"
    for name, amount in expected.items():
        if window[name] != amount:
            found.add(kind, where, f"{name} {amount}", f"{name} {window[name]}")


def _reserved(connection: Connection) -> dict[tuple[str, str, str], tuple[int, int]]:
    """What leases hold that are not given up for lost, by window."""
    columns = quota_lease.c
    key = (columns.scope, columns.period, columns.zone)
    query = select(*key, func.sum(columns.requests), func.sum(columns.nano)).where(columns.lost == 0).group_by(*key)
    rows = connection.execute(query)
    return {(scope, period, zone): (int(requests), int(nano)) for scope, period, zone, requests, nano in rows}
