"""Accounts as a whole: every look and every act, by the same functions, for the admin API and for commands."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Connection

from mlo_ledger.database import Database

from .acting import Acting, Looking, begin
from .plans import Catalogue
from .records import Actor

__all__ = ["Accounts"]

T = TypeVar("T")


class Accounts:
    """Runs functions of :class:`Looking` and :class:`Acting`, each in one transaction.

    ``changed`` is awaited after every act that went through, ``clock`` is Unix time.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue = Catalogue(),  # noqa: B008 - frozen
        *,
        changed: Callable[[], Awaitable[None]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self.catalogue = database, catalogue
        self._changed, self._clock = changed, clock

    @property
    def database(self) -> Database:
        """Where accounts are kept."""
        return self._database

    def now(self) -> int:
        """The time, in microseconds."""
        return int(self._clock() * 1_000_000)

    async def look(self, actor: Actor, function: Callable[[Looking], T]) -> T:
        """What the function finds.

        Raises:
            ActRefused: whatever the function raises.
            DatabaseUnavailable: when it cannot be read.
        """

        def run(connection: Connection) -> T:
            return function(Looking(connection, actor, self.now(), self.catalogue))

        return await self._database.read(run)

    async def act(self, actor: Actor, function: Callable[[Acting], T]) -> T:
        """What the function made, after the commit of what it wrote and of its audit event, which is exactly one.

        Raises:
            ActRefused: whatever the function raises; then nothing is written.
            DatabaseUnavailable: when it cannot be written.
        """

        def run(connection: Connection) -> T:
            acting = begin(connection, actor, self.now(), self.catalogue)
            made = function(acting)
            if len(acting.recorded) != 1:
                raise RuntimeError(f"an act must leave one audit event, not {len(acting.recorded)}")
            return made

        made = await self._database.write(run)
        if self._changed is not None:
            await self._changed()
        return made
