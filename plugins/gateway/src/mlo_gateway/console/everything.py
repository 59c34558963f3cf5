"""Lists as a whole, page by page."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mlo_gateway.accounts.acting import Looking
from mlo_gateway.accounts.paging import MOST, Cut, Page

__all__ = ["everything"]

T = TypeVar("T")


def everything(look: Looking, pages: Callable[[Looking, Cut], Page[T]]) -> list[T]:
    """All items."""
    found: list[T] = []
    after: str | None = None
    while True:
        page = pages(look, Cut(limit=MOST, after=after))
        found += page.items
        if page.next is None:
            return found
        after = page.next
