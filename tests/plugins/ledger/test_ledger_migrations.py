"""Tables go up and down with data in them, and are what the code believes they are."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from mlo.errors import ConfigError
from mlo_ledger.database import Database
from mlo_ledger.errors import DatabaseUnavailable, SchemaMissing, SchemaTooNew
from mlo_ledger.migrate import VERSION_TABLE, check_version, current_version, migrate, migrate_now, newest_version
from mlo_ledger.schema import metadata

from .usage_books import month_of_calls, write


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return list(compare_metadata(context, metadata))


@pytest.mark.anyio
async def test_up_and_down_with_data(url: str) -> None:
    database = Database(url)
    with pytest.raises(SchemaMissing, match="has no tables"):
        await database.read(check_version)
    await migrate(database)
    await migrate(database)
    assert await database.read(_differences) == []
    assert await database.read(current_version) == newest_version()
    write(database, *month_of_calls())
    await migrate(database, to="base")
    tables = await database.read(lambda connection: inspect(connection).get_table_names())
    assert set(tables) <= {VERSION_TABLE}
    await migrate(database)
    write(database, *month_of_calls())
    database.close()


def test_tables_of_newer_code_are_left_alone(url: str) -> None:
    database = Database(url)
    migrate_now(database)
    database.write_now(lambda connection: connection.execute(text("UPDATE ledger_version SET version_num = 'v9999'")))
    with pytest.raises(SchemaTooNew, match=r"v9999.*update the code"):
        migrate_now(database)
    with pytest.raises(SchemaTooNew, match=r"v9999.*update the code"):
        database.read_now(check_version)
    database.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:s3cret@h/d", "sqlite://", "sqlite:///:memory:"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"observers\.ledger\.url") as caught:
        Database(url, path="observers.ledger.url")
    assert "s3cret" not in str(caught.value)


def test_a_password_is_shown_nowhere() -> None:
    database = Database("postgresql://mlo:s3cret@127.0.0.1:1/ledger?password=s3cret")
    with pytest.raises(DatabaseUnavailable) as caught:
        database.read_now(check_version)
    assert "s3cret" not in repr(database) + str(caught.value) + repr(caught.value)
