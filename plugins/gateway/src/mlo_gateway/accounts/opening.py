"""The database of accounts, its tables brought up to date."""

from __future__ import annotations

from mlo.errors import ConfigError
from mlo_gateway.config import GatewayConfig
from mlo_gateway.migrations import PACKAGE, VERSION_TABLE
from mlo_ledger.database import Database
from mlo_ledger.migrate import migrate

from .plans import Catalogue

__all__ = ["catalogue_of", "prepare"]


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
