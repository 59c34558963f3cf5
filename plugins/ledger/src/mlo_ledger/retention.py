"""Deleting old events. Their roll-ups stay, and the ledger remembers from when on it has single events.

It also remembers up to where the events of each writer are gone, so that a journal that turns up later counts none of
them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, delete, func, select

from .database import Database
from .events import AT, Settlement
from .schema import ledger_meta, usage_event
from .settling import upsert

__all__ = ["EVENTS_FROM", "delete_old", "events_from", "without_deleted"]

EVENTS_FROM = "events_from"
_HOUR = 3_600_000_000
_AT_ONCE = 2_000
_GONE = "gone:"  # and a writer: the highest number among its calls whose events were deleted
_TS, _WRITER, _SEQ = AT["ts"], AT["writer"], AT["seq"]


def events_from(connection: Connection) -> int:
    """The moment (µs) from which on single events are kept; before it there are sums only. 0 if none were deleted."""
    found = connection.execute(select(ledger_meta.c.value).where(ledger_meta.c.name == EVENTS_FROM)).scalar()
    return 0 if found is None else int(found)


def delete_old(database: Database, before: int) -> int:
    """Delete events from before the hour of ``before`` (µs), some at a time so that nobody waits long; how many.

    The mark is set first: whoever compares events with roll-ups leaves those hours out.
    """
    before -= before % _HOUR
    if database.read_now(events_from) < before:
        database.write_now(lambda connection: _mark(connection, before))
    total = 0
    while deleted := database.write_now(lambda connection: _deleted(connection, before)):
        total += deleted
    return total


def without_deleted(connection: Connection, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Those of one writer that are not known to have been counted and deleted since."""
    before = events_from(connection)
    if all(each.rows[-1][_TS] >= before for each in settlements):
        return list(settlements)
    gone = _gone(connection, {each.rows[-1][_WRITER] for each in settlements})
    return [
        each
        for each in settlements
        if each.rows[-1][_TS] >= before or each.rows[-1][_SEQ] > gone.get(each.rows[-1][_WRITER], -1)
    ]


def _gone(connection: Connection, writers: Iterable[str]) -> dict[str, int]:
    columns = ledger_meta.c
    query = select(columns.name, columns.value).where(columns.name.in_([f"{_GONE}{each}" for each in writers]))
    return {name.removeprefix(_GONE): int(value) for name, value in connection.execute(query)}


def _mark(connection: Connection, before: int) -> None:
    _put(connection, {EVENTS_FROM: before})


def _put(connection: Connection, values: Mapping[str, int]) -> None:
    statement = upsert(connection)(ledger_meta)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value}),
        [{"name": name, "value": str(values[name])} for name in sorted(values)],
    )


def _deleted(connection: Connection, before: int) -> int:
    columns = usage_event.c
    old = select(columns.id).where(columns.ts < before).order_by(columns.ts, columns.id).limit(_AT_ONCE)
    ids = list(connection.execute(old).scalars())
    if not ids:
        return 0
    query = select(columns.writer, func.max(columns.seq)).where(columns.id.in_(ids)).group_by(columns.writer)
    last = {writer: int(seq) for writer, seq in connection.execute(query)}
    known = _gone(connection, last)
    _put(connection, {f"{_GONE}{writer}": max(seq, known.get(writer, 0)) for writer, seq in last.items()})
    return connection.execute(delete(usage_event).where(columns.id.in_(ids))).rowcount
