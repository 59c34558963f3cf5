"""Making and changing tables: every package brings its own versions and keeps its own place in the database.

Versions are the modules ``v0001_….py``, ``v0002_….py`` of a package, each with ``upgrade`` and ``downgrade`` as alembic
knows them. What is current is told from their names, so that alembic is imported only where there is work for it.
"""

from __future__ import annotations

import re
import zlib
from functools import partial
from importlib import import_module
from pathlib import Path

import anyio.to_thread
from sqlalchemy import Connection, inspect, text

from .database import Database
from .errors import SchemaMissing, SchemaTooNew

__all__ = ["PACKAGE", "VERSION_TABLE", "check_version", "current_version", "migrate", "migrate_now", "newest_version"]

PACKAGE = "mlo_ledger.migrations"
VERSION_TABLE = "ledger_version"
_VERSION = re.compile(r"(v\d{4})_\w+\.py")


async def migrate(
    database: Database, *, package: str = PACKAGE, version_table: str = VERSION_TABLE, to: str = "head"
) -> None:
    """Bring the tables of ``package`` to the version ``to``: ``head``, ``base`` (none) or one such as ``v0001``.

    Everything happens in one transaction; whoever comes meanwhile waits.

    Raises:
        SchemaTooNew: when the tables are newer than the package.
        DatabaseUnavailable: when the database is not there.
    """
    await anyio.to_thread.run_sync(partial(migrate_now, database, package=package, version_table=version_table, to=to))


def migrate_now(
    database: Database, *, package: str = PACKAGE, version_table: str = VERSION_TABLE, to: str = "head"
) -> None:
    """As :func:`migrate`, for callers in a thread of their own."""
    newest = newest_version(package)
    if to == "head" and database.read_now(partial(current_version, version_table=version_table)) == newest:
        return
    database.write_now(partial(_moved, package=package, version_table=version_table, to=to))


def current_version(connection: Connection, version_table: str = VERSION_TABLE) -> str | None:
    """The version of the tables; ``None`` when there are none."""
    if not inspect(connection).has_table(version_table):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {version_table}"))  # noqa: S608 - our constant
    version: str | None = found.scalar_one_or_none()
    return version


def newest_version(package: str = PACKAGE) -> str:
    """The newest version that ``package`` knows."""
    return max(_known(package))


def check_version(connection: Connection, *, package: str = PACKAGE, version_table: str = VERSION_TABLE) -> None:
    """See that the tables are those that the code knows.

    Raises:
        SchemaMissing: when there are none, or elder ones.
        SchemaTooNew: when they are newer.
    """
    current = current_version(connection, version_table)
    newest = newest_version(package)
    if current == newest:
        return
    if current is not None:
        _refuse_newer(current, package, version_table)
    state = "has no tables" if current is None else f"has tables of version {current}, this code needs {newest}"
    raise SchemaMissing(f"the database {state} ({version_table}): run the migration")


def _known(package: str) -> list[str]:
    return [match[1] for file in _folder(package).iterdir() if (match := _VERSION.fullmatch(file.name))]


def _folder(package: str) -> Path:
    return Path(import_module(package).__path__[0])


def _refuse_newer(current: str, package: str, version_table: str) -> None:
    if current not in _known(package):
        message = (
            f"the tables in the database have the version {current} ({version_table}), this code knows them up to "
            f"{newest_version(package)}: update the code, or use the database that belongs to it"
        )
        raise SchemaTooNew(message)


def _moved(connection: Connection, *, package: str, version_table: str, to: str) -> None:
    from alembic import command  # noqa: PLC0415 - a third of a second that most starts do not need
    from alembic.config import Config  # noqa: PLC0415 - as above

    if connection.dialect.name == "postgresql":
        lock = zlib.crc32(version_table.encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
    current = current_version(connection, version_table)
    if current is not None:
        _refuse_newer(current, package, version_table)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "harness").replace("%", "%%"))
    config.set_main_option("version_locations", str(_folder(package)).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.attributes |= {"connection": connection, "version_table": version_table}
    known = ["", *sorted(_known(package))]  # "" stands for no tables at all
    aim = {"head": known[-1], "base": ""}.get(to, to)
    move = command.upgrade if known.index(aim) > known.index(current or "") else command.downgrade
    move(config, aim or "base")
