"""Accounts that are open: the database, its tables brought up to date, and the keys held ready."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from attrs import field, frozen

from mlo.errors import ConfigError
from mlo.secret import Secret
from mlo_gateway.config import GatewayConfig
from mlo_gateway.limits.background import beside
from mlo_gateway.limits.signals import REVOKED, LocalSignals, Signals
from mlo_gateway.migrations import PACKAGE, VERSION_TABLE
from mlo_ledger.database import Database
from mlo_ledger.errors import DatabaseUnavailable
from mlo_ledger.migrate import migrate

from .granted import Budgets
from .keyring import KeyRing
from .plans import Catalogue
from .service import Accounts

__all__ = ["OpenAccounts", "catalogue_of", "open_accounts", "open_database", "prepare"]


@frozen(kw_only=True)
class OpenAccounts:
    """``accounts`` for acts, ``ring`` as authenticator; what the one changes the other knows before the act returns."""

    accounts: Accounts = field(repr=False)
    ring: KeyRing = field(repr=False)

    async def use(self, config: GatewayConfig, budgets: Budgets | None = None) -> None:
        """Go on with the plans of another configuration, and with ``budgets`` as keeper of monthly limits.

        Raises:
            ConfigError: when the plan of new projects is none.
            DatabaseUnavailable: when the keys cannot be read again; everything stays as it was.
        """
        catalogue = catalogue_of(config)
        await self.ring.use(catalogue, budgets)
        self.accounts.catalogue = catalogue


@asynccontextmanager
async def open_accounts(
    url: Secret,
    config: GatewayConfig,
    *,
    budgets: Budgets | None = None,
    signals: Signals | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[OpenAccounts]:
    """Open the accounts at ``url`` and keep them fresh until the end of the block.

    ``budgets`` is told of monthly limits (the ledger's observer is one); acts are told by ``signals``, where there are
    any, to other replicas.

    Raises:
        ConfigError: when the URL is none, or the plan of new projects.
        SchemaTooNew: when the tables were made by a newer version of this package.
        DatabaseUnavailable: when the database is not there.
    """
    catalogue, heard = catalogue_of(config), signals or LocalSignals()
    database = open_database(url)
    try:
        await prepare(database)
        ring = KeyRing(database, catalogue, config=config.accounts, budgets=budgets, clock=clock)
        await ring.load()
        leave = heard.subscribe(REVOKED, ring.wake, ring.wake)
        try:
            async with beside(ring.run):

                async def changed() -> None:
                    heard.publish(REVOKED, "")
                    with suppress(DatabaseUnavailable):  # the act is done, and the ring goes on trying
                        await ring.refresh()

                yield OpenAccounts(accounts=Accounts(database, catalogue, changed=changed, clock=clock), ring=ring)
                with suppress(DatabaseUnavailable):
                    await ring.note_use()
        finally:
            leave()
    finally:
        database.close()


def open_database(url: Secret) -> Database:
    """The database of accounts and ledger, not connected yet.

    Raises:
        ConfigError: when the URL is none.
    """
    return Database(url.reveal(), path="gateway.database")


def catalogue_of(config: GatewayConfig) -> Catalogue:
    """The plans that the configuration sets.

    Raises:
        ConfigError: when the plan of new projects is none that the package or the configuration has.
    """
    catalogue = Catalogue(configured=config.plans, default=config.accounts.plan)
    if catalogue.get(catalogue.default) is None:
        known = ", ".join(catalogue.plans())
        raise ConfigError("gateway.accounts.plan", f"there is no plan {catalogue.default!r}", hint=f"known: {known}")
    return catalogue


async def prepare(database: Database) -> None:
    """Make the tables of accounts, or bring them up to date. The ledger's tables are the ledger's to make.

    Raises:
        SchemaTooNew: when they were made by a newer version of this package.
        DatabaseUnavailable: when the database is not there.
    """
    await migrate(database, package=PACKAGE, version_table=VERSION_TABLE)
