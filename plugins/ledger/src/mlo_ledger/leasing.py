"""Windows and leases in the database: granting, giving back, recalling, and what becomes of owners that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, func, or_, select, update

from .events import COLUMNS, HoldUsed, Row, Settlement
from .limits import Limit
from .schema import quota_lease, quota_window, usage_event, usage_hour
from .settling import Change, WindowKey, change_events, change_windows, lock_table, release, settle, upsert
from .windows import Period, granted

__all__ = [
    "Ask",
    "Grant",
    "delete_empty",
    "ensure_window",
    "forget_owner",
    "give_back",
    "lease",
    "lose_leases",
    "recalled",
    "reconcile",
    "renew",
]

_RECALL = 1_000_000  # µs for which holders see that they are to give back


@frozen(kw_only=True)
class Ask:
    """What a process needs of a window now. ``lease`` is the id of the lease that it has there, or will have."""

    limit: Limit
    period: Period
    lease: str
    owner: str
    requests: int
    nano: int


@frozen(kw_only=True)
class Grant:
    """What it got; ``left`` is what the window has beyond that, ``others`` what other owners hold."""

    requests: int
    nano: int
    left_requests: int | None
    left_nano: int | None
    others_requests: int
    others_nano: int


def _is(window: Any, key: WindowKey) -> Any:
    return and_(window.c.scope == key[0], window.c.period == key[1], window.c.zone == key[2])


def ensure_window(connection: Connection, limit: Limit, period: Period) -> None:
    """Make the window of a limit, with what has been used in its period before there was a limit.

    Nothing else may happen in this transaction before: it waits for those who settle, and they for it.
    """
    key = (limit.scope, period.key, period.zone)
    if connection.execute(select(quota_window.c.scope).where(_is(quota_window, key))).first() is not None:
        return
    lock_table(connection)
    requests, cost, held, doubtful_requests, doubtful_held = _used_before(connection, limit.scope, period)
    row = {
        "scope": limit.scope,
        "period": period.key,
        "zone": period.zone,
        "begins": period.begins,
        "resets": period.resets,
        "limit_requests": limit.requests,
        "limit_nano": limit.nano,
        "overage": limit.overage,
        "used_requests": requests,
        "used_nano": cost + held,
        "doubtful_requests": doubtful_requests,
        "doubtful_nano": doubtful_held,
        "reserved_requests": 0,
        "reserved_nano": 0,
        "recalled": 0,
    }
    connection.execute(upsert(connection)(quota_window).on_conflict_do_nothing(), [row])


def _used_before(connection: Connection, scope: str, period: Period) -> tuple[int, int, int, int, int]:
    """Requests, cost and held amounts of a period, and how much of the first and the last is indeterminate."""
    whole_hours = period.begins % 3_600_000_000 == 0 == period.resets % 3_600_000_000
    table = usage_hour if whole_hours else usage_event
    moment = table.c.hour * 1_000_000 if whole_hours else table.c.ts
    kind, _, name = scope.partition(":")
    column = {"organization": "organization", "project": "project", "key": "key_id"}.get(kind)
    wanted = [moment >= period.begins, moment < period.resets]
    if column is not None:
        wanted.append(table.c[column] == name)
    # what is left of a lost lease counts in the one window that it was of
    wanted.append(or_(table.c.route.not_like("lease:%"), table.c.route == f"lease:{scope}"))
    query = select(
        table.c.status,
        table.c.currency,
        func.coalesce(func.sum(table.c.requests), 0),
        func.coalesce(func.sum(table.c.cost_nano), 0),
        func.coalesce(func.sum(table.c.held_nano), 0),
    )
    totals = [0, 0, 0, 0, 0]
    for status, currency, requests, cost, held in connection.execute(
        query.where(*wanted).group_by(table.c.status, table.c.currency)
    ):
        totals[0] += int(requests)
        totals[1] += int(cost) if currency == "RUB" else 0
        totals[2] += int(held)
        if status == "indeterminate":
            totals[3] += int(requests)
            totals[4] += int(held)
    return totals[0], totals[1], totals[2], totals[3], totals[4]


def lease(connection: Connection, asks: Sequence[Ask], *, now: int, expires: int) -> list[Grant]:
    """Grant what windows have; their rows are locked in one order for all who ask. Windows must be there."""
    for owner in sorted({ask.owner for ask in asks}):
        _find_again(connection, owner)
    order = sorted(range(len(asks)), key=lambda place: (asks[place].limit.scope, asks[place].period.key))
    grants: dict[int, Grant] = {}
    for place in order:
        grants[place] = _leased(connection, asks[place], now, expires)
    return [grants[place] for place in range(len(asks))]


def _leased(connection: Connection, ask: Ask, now: int, expires: int) -> Grant:
    key = (ask.limit.scope, ask.period.key, ask.period.zone)
    query = select(quota_window).where(_is(quota_window, key)).with_for_update()
    window = connection.execute(query).mappings().one()
    single = window["recalled"] > now
    left = _left(ask.limit.requests, window, "requests"), _left(ask.limit.nano, window, "nano")
    requests = 0 if left[0] is None else granted(left[0], ask.requests, single=single)
    nano = 0 if left[1] is None else granted(left[1], ask.nano, single=single)
    others = (0, 0)
    is_short = (left[0] is not None and requests < ask.requests) or (left[1] is not None and nano < ask.nano)
    if is_short:
        others = _held_by_others(connection, key, ask.owner)
    values: dict[str, Any] = {
        "limit_requests": ask.limit.requests,
        "limit_nano": ask.limit.nano,
        "overage": ask.limit.overage,
        "reserved_requests": quota_window.c.reserved_requests + requests,
        "reserved_nano": quota_window.c.reserved_nano + nano,
    }
    if is_short and any(others):
        values["recalled"] = now + _RECALL
    connection.execute(update(quota_window).where(_is(quota_window, key)).values(values))
    _add_to_lease(connection, ask, requests, nano, expires)
    return Grant(
        requests=requests,
        nano=nano,
        left_requests=None if left[0] is None else left[0] - requests,
        left_nano=None if left[1] is None else left[1] - nano,
        others_requests=others[0],
        others_nano=others[1],
    )


def _left(limit: int | None, window: RowMapping, kind: str) -> int | None:
    return None if limit is None else max(0, limit - window[f"used_{kind}"] - window[f"reserved_{kind}"])


def _held_by_others(connection: Connection, key: WindowKey, owner: str) -> tuple[int, int]:
    columns = quota_lease.c
    query = select(func.coalesce(func.sum(columns.requests), 0), func.coalesce(func.sum(columns.nano), 0))
    requests, nano = connection.execute(
        query.where(_is(quota_lease, key), columns.owner != owner, columns.lost == 0)
    ).one()
    return int(requests), int(nano)


def _add_to_lease(connection: Connection, ask: Ask, requests: int, nano: int, expires: int) -> None:
    if not requests and not nano:
        return
    row = {
        "id": ask.lease,
        "scope": ask.limit.scope,
        "period": ask.period.key,
        "zone": ask.period.zone,
        "owner": ask.owner,
        "requests": requests,
        "nano": nano,
        "expires": expires,
        "lost": 0,
    }
    statement = upsert(connection)(quota_lease)
    more = {name: quota_lease.c[name] + statement.excluded[name] for name in ("requests", "nano")}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=more), [row])


def give_back(connection: Connection, unspent: Sequence[HoldUsed]) -> None:
    """Return what is unspent of leases to their windows."""
    release(connection, sorted(unspent))


def recalled(connection: Connection, owner: str, now: int) -> set[WindowKey]:
    """The windows in which ``owner`` holds something and somebody else is in need."""
    columns = quota_window.c
    held = select(quota_lease.c.scope).where(
        quota_lease.c.owner == owner,
        quota_lease.c.scope == columns.scope,
        quota_lease.c.period == columns.period,
        quota_lease.c.zone == columns.zone,
    )
    query = select(columns.scope, columns.period, columns.zone).where(columns.recalled > now, held.exists())
    return {(scope, period, zone) for scope, period, zone in connection.execute(query)}


def renew(connection: Connection, owner: str, expires: int) -> None:
    """Say that ``owner`` lives. Leases of it that were taken for lost are its own again."""
    _find_again(connection, owner)
    connection.execute(update(quota_lease).where(quota_lease.c.owner == owner).values(expires=expires))


def _find_again(connection: Connection, owner: str) -> None:
    columns = quota_lease.c
    lost = connection.execute(select(quota_lease).where(columns.owner == owner, columns.lost == 1)).mappings().all()
    for found in lost:
        key = (found["scope"], found["period"], found["zone"])
        rest = (found["requests"], found["nano"])
        change = Change()
        change.add(used=(-rest[0], -rest[1]), doubtful=True, reserved=rest)
        change_windows(connection, {key: change})
        change_events(connection, {f"lease:{found['id']}": (-rest[0], -rest[1])})
    if lost:
        connection.execute(update(quota_lease).where(columns.owner == owner).values(lost=0))


def lose_leases(connection: Connection, *, now: int) -> int:
    """Count the rest of leases whose owners were not heard of as used: events that say so. How many there were."""
    columns = quota_lease.c
    is_due = and_(columns.expires < now, columns.lost == 0, or_(columns.requests > 0, columns.nano > 0))
    found = (
        connection.execute(select(quota_lease).where(is_due).order_by(columns.id).with_for_update()).mappings().all()
    )
    for each in found:
        key = (each["scope"], each["period"], each["zone"])
        connection.execute(update(quota_lease).where(columns.id == each["id"]).values(lost=1))
        window = connection.execute(select(quota_window).where(_is(quota_window, key))).mappings().one()
        row = _lost_row(each, min(max(now, window["begins"]), window["resets"] - 1))
        if not settle(connection, [Settlement(rows=(row,))]):  # lost, found and lost again
            change_events(connection, {row[0]: (each["requests"], each["nano"])})
            used = Change()
            used.add(used=(each["requests"], each["nano"]), doubtful=True)
            change_windows(connection, {key: used})
        rest = Change()
        rest.add(reserved=(-each["requests"], -each["nano"]))
        change_windows(connection, {key: rest})
    return len(found)


def _lost_row(lost: RowMapping, moment: int) -> Row:
    kind, _, name = str(lost["scope"]).partition(":")
    values = {
        "id": f"lease:{lost['id']}",
        "writer": lost["owner"],
        "seq": 0,
        "ts": moment,
        "call_id": f"lease:{lost['id']}",
        "attempt": 0,
        "final": 0,
        "nested": 0,
        "depth": 0,
        "scope": lost["scope"],
        "organization": name if kind == "organization" else None,
        "project": name if kind == "project" else None,
        "key_id": name if kind == "key" else None,
        "route": f"lease:{lost['scope']}",  # tells it apart in roll-ups, too
        "operation": "lease",
        "status": "indeterminate",
        "requests": lost["requests"],
        "held_nano": lost["nano"],
    }
    return [values.get(column) for column in COLUMNS]


def forget_owner(connection: Connection, owner: str) -> None:
    """Return the rest of all leases of an owner of whom everything is known, and delete them."""
    columns = quota_lease.c
    found = connection.execute(select(quota_lease).where(columns.owner == owner).order_by(columns.id)).mappings().all()
    rests = [(e["id"], e["scope"], e["period"], e["zone"], e["requests"], e["nano"]) for e in found]
    release(connection, rests)
    connection.execute(delete(quota_lease).where(columns.owner == owner))


def reconcile(connection: Connection, owner: str, outstanding: Mapping[str, tuple[int, int]]) -> None:
    """Return what the database has in leases of ``owner`` beyond what that knows of, after a commit of unknown fate."""
    columns = quota_lease.c
    surplus: list[HoldUsed] = []
    for each in connection.execute(select(quota_lease).where(columns.owner == owner)).mappings():
        requests, nano = outstanding.get(each["id"], (0, 0))
        rest = (max(0, each["requests"] - requests), max(0, each["nano"] - nano))
        if any(rest):
            surplus.append((each["id"], each["scope"], each["period"], each["zone"], *rest))
    release(connection, surplus)


def delete_empty(connection: Connection, owner: str, kept: Sequence[str]) -> None:
    """Delete leases of ``owner`` in which nothing is left, but for those in ``kept``."""
    columns = quota_lease.c
    empty = and_(columns.owner == owner, columns.requests == 0, columns.nano == 0, columns.lost == 0)
    is_kept = columns.id.in_(bindparam("kept", expanding=True))
    connection.execute(delete(quota_lease).where(empty, ~is_kept), {"kept": list(kept)})
