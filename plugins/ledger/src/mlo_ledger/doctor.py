"""What ``mlo plugins doctor`` says of a ledger. Nothing is made or changed, and nobody is asked over a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, func, select

from mlo.api import Finding
from mlo.errors import ConfigError

from .config import LedgerConfig
from .database import Database
from .errors import DatabaseUnavailable, SchemaMissing, SchemaTooNew
from .journal import owners_waiting
from .migrate import check_version
from .opening import limits_of, open_database
from .schema import usage_hour

__all__ = ["findings_of"]


def findings_of(config: LedgerConfig, path: str) -> Iterator[Finding]:
    """Wrong options, journals that nobody has taken over, calls without a known cost."""
    try:
        database = open_database(config, path, create=False)
        limits_of(config.budgets, path)
    except ConfigError as error:
        yield Finding(level="error", message=error.reason, where=error.path, fix=error.hint)
        return
    yield from _journals(config.folder, path)
    if database.dialect == "sqlite":
        yield from _stored(database, path)
    database.close()


def _journals(folder: Path, path: str) -> Iterator[Finding]:
    waiting = owners_waiting(folder)
    if waiting:
        message = f"{waiting} processes that are gone have left calls in {str(folder)!r}"
        yield Finding(level="info", message=message, where=f"{path}.journal", fix="the next start takes them over")


def _stored(database: Database, path: str) -> Iterator[Finding]:
    try:
        database.read_now(check_version)
        unpriced, doubtful = database.read_now(_counted)
    except SchemaTooNew as error:
        yield Finding(level="error", message=str(error), where=f"{path}.url", fix="update mlo-ledger")
        return
    except (DatabaseUnavailable, SchemaMissing):
        yield Finding(
            level="info", message="there is no ledger yet", where=f"{path}.url", fix="the first start makes it"
        )
        return
    if unpriced:
        message = f"{unpriced} calls have no known cost, since nobody knows a price of their models"
        yield Finding(level="warning", message=message, where=path, fix="mlo prices import FILE")
    if doubtful:
        message = (
            f"of {doubtful} calls nobody knows whether the vendor has billed them: a process ended in their middle"
        )
        yield Finding(level="info", message=message, where=path, fix="compare with the vendor's bill")


def _counted(connection: Connection) -> tuple[int, int]:
    columns = usage_hour.c
    unpriced = select(func.coalesce(func.sum(columns.unpriced), 0))
    doubtful = select(func.coalesce(func.sum(columns.calls), 0)).where(columns.status == "indeterminate")
    return connection.execute(unpriced).scalar_one(), connection.execute(doubtful).scalar_one()
