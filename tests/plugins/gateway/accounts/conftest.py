from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlo_gateway.migrations import PACKAGE, VERSION_TABLE
from mlo_ledger.database import Database
from mlo_ledger.migrate import migrate_now
from tests.plugins.gateway.accounts.stores import World, copy_of, emptied
from tests.services.postgres import PostgresServer, postgres_server


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave one of four combinations out: databases are used in threads, the same from both event loops."""
    for item in [item for item in items if _is_spare(item)]:
        items.remove(item)


def _is_spare(item: pytest.Item) -> bool:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    if not item.path.is_relative_to(Path(__file__).parent):
        return False
    kinds = {parameters.get("database"), parameters.get("url")}
    return "postgresql" in kinds and parameters.get("anyio_backend", ("",))[0] == "trio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with empty tables: making them takes longer than copying it."""
    file = tmp_path_factory.mktemp("accounts") / "template.db"
    database = Database(f"sqlite:///{file}")
    migrate_now(database, package=PACKAGE, version_table=VERSION_TABLE)
    database.close()
    return file


@pytest.fixture(scope="session")
def shared_postgres(postgres: PostgresServer) -> Iterator[Database]:
    database = Database(postgres.database())
    migrate_now(database, package=PACKAGE, version_table=VERSION_TABLE)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind."""
    if request.param == "postgresql":
        shared: Database = request.getfixturevalue("shared_postgres")
        shared.write_now(emptied)
        yield shared
        return
    found = copy_of(request.getfixturevalue("template"), tmp_path)
    yield found
    found.close()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def small_world(template: Path, tmp_path: Path) -> Iterator[World]:
    """On SQLite alone, for what does not depend on the database."""
    database = copy_of(template, tmp_path)
    yield World(database)
    database.close()
