"""Monthly limits handed on to whoever keeps them, each only when it has changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from mlo_ledger.limits import Limit

from .granting import key_scope, project_scope
from .loading import Entry

__all__ = ["Budgets", "Granted"]


class Budgets(Protocol):
    """Keeps monthly limits: the ledger's observer does."""

    async def limit(self, *limits: Limit) -> None:
        """Set limits, each in place of the one that its scope had."""

    async def unlimit(self, scope: str, /) -> None:
        """Take a scope's limits away."""


class Granted:
    """The limits that ``budgets`` was told of. With ``None`` there is nobody to tell."""

    def __init__(self, budgets: Budgets | None) -> None:
        self._budgets = budgets
        self._limits: dict[str, Limit] = {}

    @property
    def budgets(self) -> Budgets | None:
        """Who is told."""
        return self._budgets

    async def grant(self, entries: Iterable[Entry]) -> None:
        """Have the limits of these keys and of their projects hold."""
        wanted: dict[str, Limit | None] = {}
        for entry in entries:
            wanted[project_scope(entry.principal.project)] = wanted[key_scope(entry.principal.key_id)] = None
            wanted |= {limit.scope: limit for limit in entry.limits}
        for scope, limit in wanted.items():
            await self._set(scope, limit)

    async def end(self, idents: Iterable[str]) -> None:
        """Forget the limits of these keys, by id."""
        for ident in idents:
            await self._set(key_scope(ident), None)

    async def _set(self, scope: str, limit: Limit | None) -> None:
        if self._budgets is None or self._limits.get(scope) == limit:
            return
        if limit is None:
            await self._budgets.unlimit(scope)
            del self._limits[scope]
        else:
            await self._budgets.limit(limit)
            self._limits[scope] = limit
