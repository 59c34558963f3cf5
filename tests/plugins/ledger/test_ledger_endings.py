"""Ends that nobody plans: streams that nobody closes, ledgers that are closed, journals that turn up late."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import func, select

from mlo import Router
from mlo.records import AttemptStarted, CallFinished, CallStarted
from mlo.secret import Secret
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings
from mlo_ledger.config import BudgetConfig, LedgerConfig
from mlo_ledger.database import Database
from mlo_ledger.doctor import findings_of
from mlo_ledger.entries import begin_line, end_line
from mlo_ledger.errors import DatabaseUnavailable
from mlo_ledger.events import AT, Settlement, attempt_fields, call_fields, row_of
from mlo_ledger.journal import Journal
from mlo_ledger.limits import Limit
from mlo_ledger.migrate import migrate_now
from mlo_ledger.observer import LedgerObserver
from mlo_ledger.opening import open_database
from mlo_ledger.recovery import recover
from mlo_ledger.reports.audit import audit
from mlo_ledger.retention import delete_old
from mlo_ledger.schema import usage_event, usage_hour
from mlo_ledger.settling import settle

from .test_ledger_budgets import PRICE, ledger_at, outcomes
from .test_ledger_faults import HELLO, check, count, until

pytestmark = pytest.mark.anyio
HOUR = 3_600_000_000
DAY = 24 * HOUR


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self, held: object) -> None:
        self.held, self.itself = held, self


@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_streams_that_the_collector_ends_stop_nobody(tmp_path: Path) -> None:
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path) as (router, ledger):
        before = gc.get_threshold()
        gc.set_threshold(37, 2, 2)  # it runs in the middle of whatever the ledger does, in both threads
        try:
            for _ in range(400):
                stream = router.route_stream(HELLO)
                await anext(stream)
                Cycle(stream)
                del stream
                await router.route(HELLO)
        finally:
            gc.set_threshold(*before)
        gc.collect()
        await check(ledger, 800)


async def test_nobody_waits_for_a_ledger_that_is_closed(tmp_path: Path) -> None:
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path) as (_, ledger):
        await ledger.limit(Limit(scope="all", requests=5))
    call = CallStarted(call_id="late", route="r", operation="chat")
    ledger.on(call)
    with anyio.fail_after(5):
        waiting = ledger.admit(call, HELLO)
        assert waiting is not None
        with pytest.raises(Exception, match="the ledger is closed"):
            await waiting
        ledger.on(CallFinished(call_id="late", route="r", status="cancelled", elapsed=0.1, attempts=0))
        assert ledger.state().dropped == 1
        await ledger.flush()


def test_nothing_is_written_to_a_journal_that_is_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", "me", list, limit=1_000)
    place = journal.append(b"one\n", settles=True)
    assert place is not None
    journal.close(keep=True)
    other = os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT)
    try:
        assert other == place.descriptor or os.dup2(other, place.descriptor) == place.descriptor
        assert journal.append(b"two\n") is None
        journal.settled(place, 1)
        os.fstat(place.descriptor)  # nor is the number closed for its new owner
    finally:
        os.close(other)
        if other != place.descriptor:
            os.close(place.descriptor)
    assert (tmp_path / "other").read_bytes() == b""


def test_what_was_skipped_while_a_file_was_read_is_counted(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "me", list, limit=10_000)
    place = journal.append(b"one\n", settles=True)
    assert place is not None
    assert journal.append(b"two\n", settles=True) is place
    journal.skipped(place)
    assert journal.to_read() is place
    journal.skipped(place)  # by another thread, which had appended its line before
    assert journal.was_read(place) == 2
    assert not journal.has_skipped
    assert not place.path.exists()
    journal.close(keep=False)


def test_a_journal_that_turns_up_after_its_events_were_deleted_counts_nothing_again(url: str, tmp_path: Path) -> None:
    database = Database(url)
    migrate_now(database)
    now = 1_700_000_000_000_000
    done, late = ended("c-1", now, 1), ended("c-2", now, 2)
    folder = tmp_path / "j"
    journal = Journal(folder, "gone", list, limit=1 << 20)
    for settlement in (done, late):
        journal.append(end_line(settlement), settles=True)
    journal.append(begin_line(fields("c-3", now), 1, TRY, nested=False, holds=[], held=0))
    journal.close(keep=True)
    database.write_now(lambda connection: settle(connection, [done]))
    assert delete_old(database, now + 2 * DAY) == 1
    assert recover(database, folder) == 1
    assert database.read_now(sums) == (3, 2)  # what had not come before counts, and what had counts once
    database.close()


TRY = attempt_fields(AttemptStarted(call_id="c", attempt=1, target="a", provider="a", plugin="mock"))


def fields(call_id: str, moment: int) -> list[Any]:
    return call_fields(CallStarted(call_id=call_id, route="r", operation="chat"), moment)


def ended(call_id: str, moment: int, seq: int) -> Settlement:
    row = row_of(fields(call_id, moment), 1, TRY, status="ok")
    row[AT["writer"]], row[AT["seq"]], row[AT["final"]] = "gone", seq, 1
    return Settlement(rows=(row,))


def sums(connection: Any) -> tuple[int, int]:
    calls = connection.execute(select(func.sum(usage_hour.c.calls))).scalar_one()
    return int(calls), connection.execute(select(func.count()).select_from(usage_event)).scalar_one()


async def test_old_events_go_and_their_sums_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ledger_at(f"sqlite:///{tmp_path / 'l.db'}", tmp_path, keep_days=3) as (router, ledger):
        with monkeypatch.context() as past:
            past.setattr("mlo_ledger.observer.time_ns", lambda: 1_700_000_000_000_000_000)
            await router.route(HELLO)
        await router.route(HELLO)
        await ledger.flush()
        monkeypatch.setattr("mlo_ledger.chores._CLEAN_EVERY", 0.0)
        monkeypatch.setattr("mlo_ledger.chores.monotonic", lambda: 1e12)
        ledger.look_now()
        with anyio.fail_after(10):
            while await count(ledger) != 1:
                await anyio.sleep(0.01)
        assert await ledger.database.read(sums) == (2, 1)
        assert (await ledger.database.read(audit)).agrees


@pytest.mark.parametrize("policy", ["best-effort", "strict"])
async def test_a_file_that_is_read_only_for_a_while(tmp_path: Path, policy: str) -> None:
    file = tmp_path / "l.db"
    options: dict[str, Any] = {"policy": policy, "strict_grace": 0.05, "journal": str(tmp_path / "j")}
    async with ledger_at(f"sqlite:///{file}", tmp_path, **options) as (router, ledger):
        await router.route(HELLO)
        await ledger.flush()
        for each in tmp_path.glob("l.db*"):
            each.chmod(0o400)
        if os.access(file, os.W_OK):
            pytest.skip("root may write everywhere")
        ledger.database.close()
        await router.route(HELLO)
        await until(lambda: "readonly" in (ledger.state().database_error or ""))
        await anyio.sleep(0.06)
        assert await outcomes(router, HELLO) == ["ok" if policy == "best-effort" else "cannot-account"]
        for each in tmp_path.glob("l.db*"):
            each.chmod(0o600)
        await check(ledger, 3)
        assert await outcomes(router, HELLO) == ["ok"]


async def test_races_in_routes_in_routes_are_paid_once_and_their_losers_are_told(tmp_path: Path) -> None:
    def mock(name: str, delay: float) -> ProviderSettings:
        options = {"answer": "да", "delay": delay}
        return ProviderSettings(use="mock", options=options, price=PRICE, path=f"providers.{name}")

    race = ComponentSettings(use="hedged", options={"stagger": 0.001}, path="routes.race.strategy")
    table = {"url": f"sqlite:///{tmp_path / 'l.db'}", "budgets": [{"project": "*", "roubles": "1000"}]}
    settings = Settings(
        providers={"slow": mock("slow", 30.0), "fast": mock("fast", 0.0)},
        routes={
            "race": RouteSettings(targets=("slow", "fast"), strategy=race),
            "middle": RouteSettings(targets=("route:race",)),
            "top": RouteSettings(targets=("route:middle",)),
        },
        observers={"ledger": ComponentSettings(use="ledger", options=table, path="observers.ledger")},
    )
    async with Router(settings) as router:
        ledger = await router.observer("ledger")
        assert isinstance(ledger, LedgerObserver)
        response = await router.route(HELLO, route="top")
        async with router.route_stream(HELLO, route="top") as stream:
            async for _ in stream:
                pass
        await ledger.flush()
        columns = usage_event.c
        query = select(columns.route, columns.target, columns.status, columns.nested, columns.cost_nano)
        found = await ledger.database.read(
            lambda connection: [tuple(row) for row in connection.execute(query.order_by(columns.depth, columns.id))]
        )
        cost = response.usage.priced(PRICE).cost
        assert cost is not None
        one_each = [
            ("top", "route:middle", "ok", 1, None),
            ("middle", "route:race", "ok", 1, None),
            ("race", "fast", "ok", 0, cost.nano),
            ("race", "slow", "cancelled", 0, None),
        ]
        assert sorted(found, key=str) == sorted(one_each * 2, key=str)
        window = await ledger.window("all")
        assert window is not None
        assert (window.used_requests, window.used_nano) == (2, 2 * cost.nano)
        assert (await ledger.database.read(audit)).agrees


def test_the_doctor_tells_of_journals_left_behind_of_wrong_options_and_of_other_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'l.db'}"
    config = LedgerConfig(url=url)

    def found(config: LedgerConfig) -> list[tuple[str, str]]:
        return [(each.level, each.where or "") for each in findings_of(config, "observers.books")]

    assert found(config) == [("info", "observers.books.url")]  # there is no ledger yet
    assert list(tmp_path.iterdir()) == []  # and none was made
    database = Database(url)
    migrate_now(database)
    assert found(config) == []
    journal = Journal(config.folder, "gone", list, limit=1_000)
    assert found(config) == []  # it lives
    journal.close(keep=True)
    assert found(config) == [("info", "observers.books.journal")]
    row = row_of(fields("c-9", 0), 1, TRY, status="indeterminate")
    row[AT["final"]] = 1
    database.write_now(lambda connection: settle(connection, [Settlement(rows=(row,))]))
    levels = [("info", "observers.books.journal"), ("warning", "observers.books"), ("info", "observers.books")]
    assert found(config) == levels
    database.write_now(lambda connection: connection.exec_driver_sql("UPDATE ledger_version SET version_num='v9999'"))
    database.close()
    assert found(config)[1:] == [("error", "observers.books.url")]
    wrong = LedgerConfig(url=url, budgets=(BudgetConfig(project="a"),))
    assert found(wrong) == [("error", "observers.books.budgets[0]")]
    assert found(LedgerConfig(url="sqlite://")) == [("error", "observers.books.url")]


def test_a_password_comes_from_a_reference_and_is_shown_nowhere() -> None:
    secret = Secret("pa:ss/wo@rd")
    config = LedgerConfig(url="postgresql://me@127.0.0.1:1/books", password=secret, policy="strict")
    database = open_database(config, "observers.books")
    assert "pa:ss" not in repr(database) + repr(config) + database.shown
    assert database._engine.url.password == "pa:ss/wo@rd"
    with pytest.raises(DatabaseUnavailable) as caught:
        database.read_now(sums)
    assert "pa:ss" not in str(caught.value) + repr(caught.value)
    database.close()
