"""Reading windows of limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from .limits import Limit, Window
from .schema import quota_window
from .windows import period_of

__all__ = ["windows_of"]

_SECOND = 1_000_000


def windows_of(connection: Connection, limits: Sequence[Limit], moment: int) -> list[Window]:
    """The windows of limits at ``moment`` (µs). One that nobody has needed yet is empty."""
    columns = quota_window.c
    found: list[Window] = []
    for limit in limits:
        period = period_of(limit, moment)
        query = select(quota_window).where(
            columns.scope == limit.scope, columns.period == period.key, columns.zone == period.zone
        )
        row: Any = connection.execute(query).mappings().one_or_none() or {}
        amounts = {
            f"{state}_{kind}": int(row.get(f"{state}_{kind}", 0))
            for state in ("used", "reserved", "doubtful")
            for kind in ("requests", "nano")
        }
        found.append(
            Window(
                scope=limit.scope,
                period=period.key,
                limit=limit,
                begins=period.begins / _SECOND,
                resets_at=period.resets / _SECOND,
                **amounts,
            )
        )
    return found
