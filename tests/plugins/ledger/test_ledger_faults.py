"""Databases and disks that fail: nothing is lost or counted twice, calls go on as the policy says, and it shows."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import func, select, text

from mlo import ChatRequest
from mlo.errors import ConfigError
from mlo_ledger.database import Database
from mlo_ledger.errors import DatabaseUnavailable
from mlo_ledger.observer import LedgerObserver
from mlo_ledger.reports.audit import audit
from mlo_ledger.schema import usage_event
from tests.services.postgres import postgres_server

from .test_ledger_budgets import ask, ledger_at, outcomes

pytestmark = pytest.mark.anyio
HELLO = ChatRequest.of("раз")


async def count(ledger: LedgerObserver) -> int:
    return await ledger.database.read(
        lambda connection: connection.execute(select(func.count()).select_from(usage_event)).scalar_one()
    )


async def flushed(ledger: LedgerObserver) -> None:
    """Wait until the ledger has what was taken, through failures."""
    with anyio.fail_after(15):
        while True:
            try:
                await ledger.flush()
            except DatabaseUnavailable:
                await anyio.sleep(0.02)
            else:
                return


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.01)


async def check(ledger: LedgerObserver, calls: int) -> None:
    """All calls are there once, and the books agree."""
    await flushed(ledger)
    assert await count(ledger) == calls
    audited = await ledger.database.read(audit)
    assert audited.agrees, audited.differences
    assert ledger.state().backlog == 0


async def test_a_locked_database_holds_up_no_call(tmp_path: Path) -> None:
    file = tmp_path / "l.db"
    async with ledger_at(f"sqlite:///{file}", tmp_path) as (router, ledger):
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with anyio.fail_after(3):
                for _ in range(20):
                    await router.route(HELLO)
            assert ledger.state().backlog == 20
            assert ledger.state().lag > 0
            other.execute("ROLLBACK")
        await check(ledger, 20)


async def test_a_full_database_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path) as (router, ledger):

        async def pages(limit: int) -> None:
            await ledger.database.write(
                lambda connection: connection.execute(text(f"PRAGMA max_page_count={limit}")).scalar_one()
            )

        await pages(1)  # not less than there are: no page more
        for _ in range(60):
            await router.route(HELLO)
        with anyio.fail_after(10):
            while ledger.state().database_error is None:
                await router.route(HELLO)
        assert "full" in (ledger.state().database_error or "")
        assert ledger.state().since is not None
        made = ledger.state().committed + ledger.state().backlog
        await pages(1_000_000)
        await check(ledger, made)
        await until(lambda: ledger.state().database_error is None)
    assert [record.levelname for record in caplog.records if "database" in record.message] == ["WARNING"] * 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.timeout(60)
async def test_postgresql_gone_for_a_while(tmp_path: Path) -> None:
    with postgres_server() as server:
        url = server.database()
        budgets = [{"project": "web", "requests": 1_000}]
        async with ledger_at(url, tmp_path, budgets=budgets) as (router, ledger):
            await router.route(ask(project="web"))
            await ledger.flush()
            server.stop()
            for _ in range(5):
                await router.route(HELLO)
            await until(lambda: ledger.state().database_error)
            spent = await outcomes(router, *[ask(project="web")] * 400)
            assert set(spent) == {"ok", "cannot-account"}  # first the block that was leased, then nobody knows
            with pytest.raises(DatabaseUnavailable):
                await ledger.flush()
            server.start()
            await check(ledger, 406)
            assert await outcomes(router, ask(project="web")) == ["ok"]
            window = await ledger.window("project:web")
            await ledger.flush()
            window = await ledger.window("project:web")
            assert window is not None
            assert window.used_requests == 2 + spent.count("ok")
            assert (await ledger.database.read(audit)).agrees


async def test_strict_refuses_when_the_database_has_been_gone_for_too_long(tmp_path: Path) -> None:
    file = tmp_path / "l.db"
    options = {"policy": "strict", "strict_grace": 0.05}
    async with ledger_at(f"sqlite:///{file}", tmp_path, **options) as (router, ledger):
        await router.route(HELLO)
        await ledger.flush()
        file.rename(tmp_path / "away.db")
        for suffix in ("-wal", "-shm"):
            if (tmp_path / f"l.db{suffix}").exists():
                (tmp_path / f"l.db{suffix}").rename(tmp_path / f"away.db{suffix}")
        file.mkdir()
        ledger.database.close()
        await router.route(HELLO)
        with anyio.fail_after(10):
            while await outcomes(router, HELLO) != ["cannot-account"]:
                await anyio.sleep(0.02)
        file.rmdir()
        for each in tmp_path.glob("away.db*"):
            each.rename(tmp_path / each.name.replace("away", "l"))
        with anyio.fail_after(10):
            while await outcomes(router, HELLO) != ["ok"]:
                await anyio.sleep(0.02)
        await flushed(ledger)
        assert (await ledger.database.read(audit)).agrees


class Disk:
    """Lets writes to journals fail, or write a part only."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        self._write = os.write
        monkeypatch.setattr("mlo_ledger.journal.os.write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = self._write(descriptor, data[: self.room])
        self.room -= done
        return done


async def test_a_full_disk_and_best_effort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path) as (router, ledger):
        await router.route(HELLO)
        disk.room = 100  # a torn line
        for _ in range(10):
            await router.route(HELLO)
        assert "No space left" in (ledger.state().journal_error or "") or "no space left" in (
            ledger.state().journal_error or ""
        )
        await ledger.flush()  # the database has room
        disk.room = None
        with anyio.fail_after(10):
            while ledger.state().journal_error is not None:
                await anyio.sleep(0.05)
                await router.route(HELLO)
        await check(ledger, ledger.state().committed + ledger.state().backlog)
        assert ledger.state().dropped == 0


async def test_a_full_disk_and_strict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path, policy="strict") as (router, ledger):
        disk.room = 0
        await router.route(HELLO)  # nothing was known before
        assert await outcomes(router, HELLO, HELLO) == ["cannot-account"] * 2
        disk.room = None
        with anyio.fail_after(10):
            while await outcomes(router, HELLO) != ["ok"]:
                await anyio.sleep(0.05)
        await flushed(ledger)
        assert (await ledger.database.read(audit)).agrees


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path):
            pass


async def test_a_journal_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("x")
    with pytest.raises(ConfigError, match=r"observers\.ledger\.journal: the folder .* cannot be written"):
        async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path) as (router, _):
            await router.route(HELLO)


async def test_a_journal_at_its_limit_still_counts_what_it_cannot_keep(tmp_path: Path) -> None:
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path, journal_limit=2_000) as (router, ledger):
        for _ in range(50):
            await router.route(HELLO)
        await check(ledger, 50)


async def test_the_clock_going_back_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path) as (router, ledger):
        await router.route(HELLO)
        monkeypatch.setattr("mlo_ledger.observer.time_ns", lambda: 1_700_000_000_000_000_000)
        await router.route(HELLO)
        await check(ledger, 2)
        rows = await ledger.database.read(
            lambda connection: (
                connection.execute(select(usage_event.c.ts).order_by(usage_event.c.writer, usage_event.c.seq))
                .scalars()
                .all()
            )
        )
        assert rows[0] > rows[1]  # their order is known all the same


async def test_a_database_that_is_not_there_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "l.db"
    file.mkdir()
    with pytest.raises(DatabaseUnavailable):
        async with ledger_at(f"sqlite:///{file}", tmp_path / "s", policy="strict") as (router, _):
            await router.route(HELLO)
    async with ledger_at(f"sqlite:///{file}", tmp_path / "b") as (router, ledger):
        await router.route(HELLO)
        await until(lambda: ledger.state().database_error)
        file.rmdir()
        await check(ledger, 1)


async def test_what_is_left_at_the_end_is_found_at_the_next_start(tmp_path: Path, monkeypatch: Any) -> None:
    file = tmp_path / "l.db"
    monkeypatch.setattr("mlo_ledger.observer._CLOSE_WAIT", 0.2)
    async with ledger_at(f"sqlite:///{file}", tmp_path):
        pass
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        async with ledger_at(f"sqlite:///{file}", tmp_path) as (router, _):
            other.execute("BEGIN IMMEDIATE")
            await router.route(HELLO)
        other.execute("ROLLBACK")
    async with ledger_at(f"sqlite:///{file}", tmp_path) as (router, ledger):
        await router.route(HELLO)
        await check(ledger, 2)


async def test_more_than_memory_holds_is_read_from_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlo_ledger.writer._QUEUE", 5)
    monkeypatch.setattr("mlo_ledger.journal._SEGMENT", 4_000)
    file = tmp_path / "l.db"
    async with ledger_at(f"sqlite:///{file}", tmp_path) as (router, ledger):
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(40):
                await router.route(HELLO)
            assert ledger.state().backlog == 40
            other.execute("ROLLBACK")
        await check(ledger, 40)
        await until(lambda: len(list((tmp_path / "journal").glob("*.journal"))) <= 2)


def test_a_router_and_a_database_are_closed_without_traces(tmp_path: Path) -> None:
    async def main() -> None:
        async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path) as (router, _):
            await router.route(HELLO)

    anyio.run(main)
    assert list((tmp_path / "journal").iterdir()) == []
    database = Database(f"sqlite:///{tmp_path / 'l.db'}", create=False)
    assert database.read_now(audit).events == 1
    database.close()
