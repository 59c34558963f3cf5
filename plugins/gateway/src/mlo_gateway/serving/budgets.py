"""The ledger as the keeper of monthly limits that the accounts set."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from anyio.abc import TaskGroup
from attrs import define

from mlo_ledger.limits import Limit

__all__ = ["LedgerBudgets"]


class _Keeper(Protocol):
    async def limit(self, *limits: Limit) -> None: ...

    async def unlimit(self, scope: str) -> None: ...


@define(eq=False)
class LedgerBudgets:
    """Passes limits on to the ledger, in their order. They hold before any request that comes after the change."""

    _ledger: _Keeper
    _tasks: TaskGroup

    def limit(self, *limits: Limit) -> None:
        """Set limits, each in place of the one that its scope had."""
        self._soon(self._ledger.limit(*limits))

    def unlimit(self, scope: str, /) -> None:
        """Take a scope's limit away."""
        self._soon(self._ledger.unlimit(scope))

    def _soon(self, change: Awaitable[None]) -> None:
        async def made() -> None:
            await change

        self._tasks.start_soon(made)
