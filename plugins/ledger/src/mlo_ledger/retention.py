"""Deleting old events. Their roll-ups stay, and the ledger remembers from when on it has single events."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from .database import Database
from .schema import ledger_meta, usage_event
from .settling import upsert

__all__ = ["EVENTS_FROM", "delete_old", "events_from"]

EVENTS_FROM = "events_from"
_HOUR = 3_600_000_000
_AT_ONCE = 5_000


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


def _mark(connection: Connection, before: int) -> None:
    statement = upsert(connection)(ledger_meta)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value}),
        [{"name": EVENTS_FROM, "value": str(before)}],
    )


def _deleted(connection: Connection, before: int) -> int:
    columns = usage_event.c
    old = select(columns.id).where(columns.ts < before).limit(_AT_ONCE)
    return connection.execute(delete(usage_event).where(columns.id.in_(old))).rowcount
