"""The tables: as the code knows them, on both databases, up and down with data in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from sqlalchemy import inspect, select, text

from mlo.errors import ConfigError
from mlo.secret import Secret
from mlo_gateway.accounts.config import AccountsConfig, ControlConfig
from mlo_gateway.accounts.first_key import first_key
from mlo_gateway.accounts.opening import catalogue_of, open_accounts
from mlo_gateway.accounts.records import OPERATOR
from mlo_gateway.accounts.schema import api_key, metadata
from mlo_gateway.accounts.service import Accounts
from mlo_gateway.config import GatewayConfig
from mlo_gateway.migrations import PACKAGE, VERSION_TABLE
from mlo_ledger.database import Database
from mlo_ledger.errors import SchemaTooNew
from mlo_ledger.migrate import check_version, migrate_now
from tests.plugins.gateway.accounts.stores import World, peopled
from tests.services.postgres import PostgresServer

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database without tables."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        yield server.database()
    else:
        yield f"sqlite:///{tmp_path / 'new.db'}"


def shape(database: Database) -> dict[str, dict[str, tuple[str, bool]]]:
    def read(connection: object) -> dict[str, dict[str, tuple[str, bool]]]:
        found = inspect(connection)
        return {
            table.name: {
                column["name"]: (str(column["type"]), bool(column["nullable"]))
                for column in found.get_columns(table.name)
            }
            for table in metadata.sorted_tables
        }

    return database.read_now(read)


def test_migrations_make_what_the_code_knows(url: str) -> None:
    migrated = Database(url)
    migrate_now(migrated, package=PACKAGE, version_table=VERSION_TABLE)
    made = shape(migrated)
    migrate_now(migrated, package=PACKAGE, version_table=VERSION_TABLE, to="base")
    migrated.write_now(metadata.create_all)
    assert made == shape(migrated)
    migrated.close()


async def test_up_and_down_with_data_beside_the_ledger(url: str) -> None:
    database = Database(url)
    migrate_now(database)
    migrate_now(database, package=PACKAGE, version_table=VERSION_TABLE)
    world = await peopled(World(database))
    await world.key()
    migrate_now(database, package=PACKAGE, version_table=VERSION_TABLE, to="base")
    assert not database.read_now(lambda connection: inspect(connection).has_table("api_key"))
    database.read_now(check_version)  # the ledger's tables are still there
    migrate_now(database, package=PACKAGE, version_table=VERSION_TABLE)
    await peopled(World(database))
    database.close()


async def test_tables_of_the_future_are_left_alone(url: str) -> None:
    database = Database(url)
    migrate_now(database, package=PACKAGE, version_table=VERSION_TABLE)
    database.write_now(lambda connection: connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num='v9999'")))
    with pytest.raises(SchemaTooNew):
        async with open_accounts(Secret(url), GatewayConfig()):
            pass
    database.close()


async def test_of_replicas_that_start_at_the_same_time_one_makes_the_first_key(url: str) -> None:
    made: list[object] = []

    async def start() -> None:
        async with open_accounts(Secret(url), GatewayConfig()) as opened:
            made.append(await first_key(opened.accounts))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(start)
    assert len([each for each in made if each is not None]) == 1
    database = Database(url)
    assert len(database.read_now(lambda connection: connection.execute(select(api_key)).all())) == 1
    database.close()


async def test_there_is_one_first_key_only_even_when_it_has_ended(url: str) -> None:
    from mlo_gateway.accounts.keys import revoke_key

    async with open_accounts(Secret(url), GatewayConfig()) as opened:
        made = await first_key(opened.accounts)
        assert made is not None
        key, token = made
        assert (key.role, key.reach, key.scopes, key.project) == ("owner", "gateway", ("admin", "inference"), "default")
        assert isinstance(opened.accounts, Accounts)
        await opened.accounts.act(OPERATOR, lambda act: revoke_key(act, key.id))
        assert await first_key(opened.accounts) is None
        assert token.text not in repr(opened)


def test_configurations_that_make_no_sense() -> None:
    with pytest.raises(ConfigError, match=r"gateway\.accounts\.plan"):
        catalogue_of(GatewayConfig(accounts=AccountsConfig(plan="gold")))
    for refresh in (0.0, -1.0, 100.0, float("nan")):
        with pytest.raises(ValueError, match="refresh"):
            AccountsConfig(refresh=refresh)
    for origin in ("*", "console.example", "https://*.example", "https://a.example/path", "null", "ftp://a.example"):
        with pytest.raises(ValueError, match="cors_origins"):
            ControlConfig(cors_origins=(origin,))
