"""Settlements into the database: events once, and sums, windows and leases only for events that are new.

Everything is one transaction. Locks are taken in one order by all who write: events, roll-ups, windows, leases.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from attrs import define, field
from sqlalchemy import Connection, Executable, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from .events import AT, COLUMNS, HoldUsed, Row, Settlement
from .schema import price, quota_lease, quota_window, usage_event, usage_hour
from .sums import KEY, MEASURES, HourKey, by_names, hour_sums, key_of, scopes_of_row, window_nano

__all__ = [
    "Change",
    "WindowKey",
    "add_to_hours",
    "change_events",
    "change_leases",
    "change_windows",
    "lock_table",
    "release",
    "settle",
    "upsert",
]

WindowKey: TypeAlias = tuple[str, str, str]
"""Scope, period and zone."""

_ID, _TS, _STATUS, _REQUESTS, _HELD = (AT[name] for name in ("id", "ts", "status", "requests", "held_nano"))
_PARTS = ("used_requests", "used_nano", "doubtful_requests", "doubtful_nano", "reserved_requests", "reserved_nano")
_INCOMING = "ledger_incoming"
_EVENTS = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO usage_event ({_EVENTS}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our constants


@define
class Change:
    """What is to be added to the columns of a window, in the order of the table."""

    amounts: list[int] = field(factory=lambda: [0] * len(_PARTS))

    def add(
        self, *, used: tuple[int, int] = (0, 0), doubtful: bool = False, reserved: tuple[int, int] = (0, 0)
    ) -> None:
        """Add requests and nano-units."""
        for place in (0, 1):
            self.amounts[place] += used[place]
            self.amounts[2 + place] += used[place] if doubtful else 0
            self.amounts[4 + place] += reserved[place]


def upsert(connection: Connection) -> Any:
    """The ``insert`` that knows ``ON CONFLICT``, of the database at hand."""
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def settle(connection: Connection, settlements: Sequence[Settlement]) -> int:
    """Write settlements down, and say how many events were new. Those that are there already change nothing."""
    if not settlements:
        return 0
    _add_prices(connection, settlements)
    by_id: dict[str, Row] = {row[_ID]: row for settlement in settlements for row in settlement.rows}
    new = _inserted(connection, list(by_id.values()))
    if not new:
        return 0
    add_to_hours(connection, hour_sums(by_id[each] for each in new))
    changes = _windows_of(connection, [by_id[each] for each in new])
    used = [hold for each in settlements if each.rows[-1][_ID] in new for hold in each.holds]
    release(connection, used, changes)
    return len(new)


def _add_prices(connection: Connection, settlements: Iterable[Settlement]) -> None:
    prices = {row["id"]: dict(row) for settlement in settlements for row in settlement.prices}
    if prices:
        rows = [prices[each] for each in sorted(prices)]
        connection.execute(upsert(connection)(price).on_conflict_do_nothing(), rows)


def _inserted(connection: Connection, rows: list[Row]) -> set[str]:
    """Insert the rows that are not there yet: their ids."""
    if connection.dialect.name == "sqlite":
        return _inserted_sqlite(connection, rows)
    return _inserted_postgresql(connection, rows)


def _inserted_sqlite(connection: Connection, rows: list[Row]) -> set[str]:
    # this transaction is the only one that writes: nothing comes between the look and the insertion
    ids = json.dumps([row[_ID] for row in rows])
    query = "SELECT id FROM usage_event WHERE id IN (SELECT value FROM json_each(?))"
    known = set(connection.exec_driver_sql(query, (ids,)).scalars())
    new = [tuple(row) for row in rows if row[_ID] not in known]
    if new:
        connection.exec_driver_sql(_INSERT, new)
    return {row[_ID] for row in new}


def _inserted_postgresql(connection: Connection, rows: list[Row]) -> set[str]:
    # COPY costs this process a third of what an INSERT with parameters does
    cursor: Any = connection.connection.cursor()
    cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {_INCOMING} (LIKE usage_event) ON COMMIT DELETE ROWS")
    with cursor.copy(f"COPY {_INCOMING} ({_EVENTS}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    merge = f"INSERT INTO usage_event ({_EVENTS}) SELECT {_EVENTS} FROM {_INCOMING} ORDER BY id"  # noqa: S608 - ours
    cursor.execute(f"{merge} ON CONFLICT DO NOTHING RETURNING id")
    new = {found for (found,) in cursor.fetchall()}
    cursor.close()
    return new


def add_to_hours(connection: Connection, sums: Mapping[HourKey, Sequence[int]]) -> None:
    """Add to roll-ups, which are made where there are none."""
    if not sums:
        return
    rows = [dict(zip(KEY, key, strict=True)) | dict(zip(MEASURES, sums[key], strict=True)) for key in sorted(sums)]
    connection.execute(_hours_statement(connection.dialect.name), rows)


# Making a statement costs more than running it: each is made once.
@cache
def _hours_statement(dialect: str) -> Executable:
    statement = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(usage_hour)
    more = {name: usage_hour.c[name] + statement.excluded[name] for name in MEASURES}
    return statement.on_conflict_do_update(index_elements=KEY, set_=more)


_any_window = select(quota_window.c.scope).limit(1)
_windows_query = select(
    quota_window.c.scope, quota_window.c.period, quota_window.c.zone, quota_window.c.begins, quota_window.c.resets
).where(quota_window.c.scope.in_(bindparam("scopes", expanding=True)), quota_window.c.resets > bindparam("earliest"))
_window_update = (
    update(quota_window)
    .where(
        quota_window.c.scope == bindparam("s"),
        quota_window.c.period == bindparam("p"),
        quota_window.c.zone == bindparam("z"),
    )
    .values({name: quota_window.c[name] + bindparam(f"d_{name}") for name in _PARTS})
)
_lease_update = (
    update(quota_lease)
    .where(quota_lease.c.id == bindparam("i"))
    .values({"requests": quota_lease.c.requests + bindparam("r"), "nano": quota_lease.c.nano + bindparam("n")})
)
_rests_query = (
    select(quota_lease.c.id, quota_lease.c.requests, quota_lease.c.nano, quota_lease.c.lost)
    .where(quota_lease.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(quota_lease.c.id)
    .with_for_update()
)


def _windows_of(connection: Connection, rows: Iterable[Row]) -> dict[WindowKey, Change]:
    """What rows add to the windows that exist for their scopes."""
    changes: dict[WindowKey, Change] = {}
    if connection.execute(_any_window).first() is None:
        return changes
    by_scope: dict[str, list[Row]] = defaultdict(list)
    for alike in by_names(row for row in rows if row[_REQUESTS] or window_nano(row)):
        for scope in scopes_of_row(alike[0]):
            by_scope[scope] += alike
    if not by_scope:
        return changes
    earliest = min(row[_TS] for rows in by_scope.values() for row in rows)
    found = connection.execute(_windows_query, {"scopes": sorted(by_scope), "earliest": earliest})
    for scope, period, zone, begins, resets in found:
        change = changes.setdefault((scope, period, zone), Change())
        for row in by_scope[scope]:
            if begins <= row[_TS] < resets:
                is_doubtful = row[_STATUS] == "indeterminate"
                change.add(used=(row[_REQUESTS], window_nano(row)), doubtful=is_doubtful)
    return changes


def release(connection: Connection, used: Sequence[HoldUsed], changes: dict[WindowKey, Change] | None = None) -> None:
    """Take ``used`` out of leases, and out of what windows have reserved for these; then make the other ``changes``.

    The rest of a lost lease stands among what is used, as an event: that is put right.
    """
    changes = {} if changes is None else changes
    rests = _rests(connection, {hold[0] for hold in used})
    leases: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for lease, scope, period, zone, requests, nano in used:
        if lease not in rests:
            continue  # it has been given back as a whole
        rest = rests[lease]
        taken = min(rest[0], requests), min(rest[1], nano)
        rest[0], rest[1] = rest[0] - taken[0], rest[1] - taken[1]
        leases[lease][0] -= taken[0]
        leases[lease][1] -= taken[1]
        change = changes.setdefault((scope, period, zone), Change())
        if rest[2]:
            change.add(used=(-taken[0], -taken[1]), doubtful=True)
        else:
            change.add(reserved=(-taken[0], -taken[1]))
    change_windows(connection, changes)
    change_leases(connection, leases)
    change_events(connection, {f"lease:{each}": leases[each] for each in sorted(leases) if rests[each][2]})


def _rests(connection: Connection, leases: Iterable[str]) -> dict[str, list[int]]:
    """What is left of leases, in requests and nano-units, and whether they are taken for lost."""
    wanted = sorted(leases)
    if not wanted:
        return {}
    found = connection.execute(_rests_query, {"ids": wanted})
    return {lease: [int(amount) for amount in rest] for lease, *rest in found}


def change_events(connection: Connection, changes: Mapping[str, Sequence[int]]) -> None:
    """Add to what the events of lost leases count for, and to their roll-ups: the only events that ever change."""
    columns = usage_event.c
    for event, (requests, nano) in changes.items():
        found = connection.execute(select(usage_event).where(columns.id == event)).one_or_none()
        if found is None or not (requests or nano):
            continue
        row = list(found)
        values = {"requests": row[_REQUESTS] + requests, "held_nano": row[_HELD] + nano}
        connection.execute(update(usage_event).where(columns.id == event).values(values))
        sums = [0] * len(MEASURES)
        sums[MEASURES.index("requests")], sums[MEASURES.index("held_nano")] = requests, nano
        add_to_hours(connection, {key_of(row): sums})


def change_windows(connection: Connection, changes: Mapping[WindowKey, Change]) -> None:
    """Add to windows, in one order for all who write."""
    rows = [
        {"s": key[0], "p": key[1], "z": key[2], **{f"d_{n}": v for n, v in zip(_PARTS, change.amounts, strict=True)}}
        for key, change in sorted(changes.items(), key=lambda each: each[0])
        if any(change.amounts)
    ]
    if rows:
        connection.execute(_window_update, rows)


def change_leases(connection: Connection, changes: Mapping[str, Sequence[int]]) -> None:
    """Add to what is left of leases."""
    rows = [{"i": key, "r": changes[key][0], "n": changes[key][1]} for key in sorted(changes) if any(changes[key])]
    if rows:
        connection.execute(_lease_update, rows)


def lock_table(connection: Connection) -> None:
    """Let nobody else add to roll-ups until this transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {usage_hour.name} IN SHARE MODE"))
