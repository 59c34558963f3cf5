"""Long lists, a page at a time."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from attrs import frozen
from sqlalchemy import ColumnElement, Row, Select

from .acting import Looking

__all__ = ["MOST", "Cut", "Page", "cut"]

T = TypeVar("T")

MOST = 1000
"""The most that one page may hold."""


@frozen(kw_only=True)
class Cut:
    """Which page: up to ``limit`` things that come after the one called ``after``."""

    limit: int = 100
    after: str | None = None


@frozen(kw_only=True)
class Page(Generic[T]):
    """Some things, and after which one the next page begins; ``None`` on the last page."""

    items: tuple[T, ...]
    next: str | None


def cut(
    look: Looking, query: Select[Any], key: ColumnElement[Any], page: Cut, after: Any = None
) -> tuple[list[Row[Any]], str | None]:
    """The rows of a page in the order of ``key``, and where the next one begins."""
    start = page.after if after is None else after
    if start is not None:
        query = query.where(key > start)
    rows = list(look.connection.execute(query.order_by(key).limit(min(page.limit, MOST) + 1)))
    more = len(rows) > min(page.limit, MOST)
    rows = rows[: min(page.limit, MOST)]
    return rows, str(getattr(rows[-1], key.key or "")) if more else None
