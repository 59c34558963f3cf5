"""Processes that are killed in the middle of their work lose nothing, and nothing counts twice.

``MLO_KILLS`` is how many are killed per store: 50 for a thorough run.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from mlo_ledger.database import Database
from mlo_ledger.limits import Limit
from mlo_ledger.migrate import migrate_now
from mlo_ledger.reading import windows_of
from mlo_ledger.recovery import recover
from mlo_ledger.reports.audit import audit
from mlo_ledger.schema import quota_lease, usage_event

from .crashing import Counter, Facts, Zygote, counting_server, is_alive, wait_for, zygote

KILLS = int(os.environ.get("MLO_KILLS", "4"))
BUDGET = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Counter]:
    with counting_server() as counter:
        yield counter


@pytest.fixture(scope="module")
def workers() -> Iterator[Zygote]:
    with zygote() as found:
        yield found


def _events(connection: Connection) -> list[tuple[str, str, int, int | None, int | None]]:
    columns = usage_event.c
    query = select(columns.request_id, columns.status, columns.requests, columns.prompt_tokens, columns.cost_nano)
    return [tuple(row) for row in connection.execute(query)]


def _kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    wait_for(lambda: not is_alive(process))


@pytest.mark.timeout(60 + 5 * KILLS)
def test_kill_9_under_load(url: str, tmp_path: Path, server: Counter, workers: Zygote) -> None:
    database, journal = Database(url), tmp_path / "journal"
    migrate_now(database)
    chance = random.Random(9)
    options = {"url": url, "journal": str(journal), "budgets": [{"project": "web", "requests": BUDGET}]}
    got: set[str] = set()
    server.served.clear()
    for number in range(KILLS):
        facts = Facts(tmp_path / f"facts-{number}")
        work = {"server": server.url, "ledger": options, "facts": str(facts.path), "name": f"w{number}"}
        process = workers.start(**work, calls=1 << 30, callers=8, backend=("asyncio", "trio")[number % 2])
        wait_for(lambda facts=facts: facts.named("safe"))  # type: ignore[misc]  # bound now
        time.sleep(chance.uniform(0.0, 0.25))
        _kill(process)
        acknowledged = set(facts.named("safe"))
        committed = {event[0] for event in database.read_now(_events)}
        assert acknowledged <= committed, "an acknowledged settlement is gone"
        got |= set(facts.named("got"))

    recover(database, journal)
    recover(database, journal)  # doing it again changes nothing
    events = database.read_now(_events)
    ok = [event for event in events if event[1] == "ok"]
    doubtful = [event[0] for event in events if event[1] == "indeterminate"]
    names = [event[0] for event in events]
    assert len(names) == len(set(names)), "something counts twice"
    assert {status for _, status, *_ in events} <= {"ok", "indeterminate"}
    assert got <= {event[0] for event in ok}, "something that a caller got back is not there"
    assert {event[0] for event in ok} <= set(server.served), "something is there that was never served"
    assert set(server.served) <= set(names), "something was served and is not there"
    assert len(doubtful) <= KILLS * 8, "more calls are indeterminate than were under way"
    assert {event[2:] for event in ok} == {(1, 7, 7 * 65_000 + 3 * 130_000)}
    (window,) = database.read_now(
        lambda connection: windows_of(connection, [Limit(scope="project:web", requests=BUDGET)], time.time_ns() // 1000)
    )
    assert (window.used_requests, window.reserved_requests) == (len(ok) + len(doubtful), 0)
    assert window.doubtful_requests == len(doubtful)
    assert database.read_now(lambda connection: connection.execute(select(quota_lease)).all()) == []
    assert database.read_now(audit).differences == ()
    assert list(journal.iterdir()) == []
    print(f"{KILLS} kills: {len(ok)} settled, {len(doubtful)} indeterminate")
    database.close()
