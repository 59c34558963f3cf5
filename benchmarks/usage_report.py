"""`mlo usage` over the hourly sums of ten million events: the query alone, and the whole command.

The sums are those of a month with EVENTS events: an hour has a row for each combination of project, key, provider,
model, route and status that occurs in it. Busy combinations occur in every hour, rare ones now and then.

    python benchmarks/usage_report.py [--events N] [--days N] [--postgres URL]
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _measure import print_table
from sqlalchemy import Connection, insert

from mlo_ledger.database import Database
from mlo_ledger.migrate import migrate_now
from mlo_ledger.reports.periods import HOUR, Period, between, zone_of
from mlo_ledger.reports.usage import usage_report
from mlo_ledger.schema import usage_hour

_ROUNDS = 5
_BEGIN = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
_MODELS = (
    ("giga", "GigaChat-2"),
    ("giga", "GigaChat-2-Max"),
    ("yandex", "yandexgpt"),
    ("yandex", "yandexgpt-lite"),
    ("own", "qwen3:8b"),
)
_STATUSES = (("ok", 0.93), ("error", 0.05), ("cancelled", 0.02))
_BREAKDOWNS = (("day",), ("project",), ("provider", "model"), ("day", "project"))


def rows(events: int, days: int) -> Iterator[dict[str, Any]]:
    """The sums: about `events` events over `days` days."""
    chance = random.Random(1)
    combinations = list(_combinations(chance))
    whole = sum(weight for *_, weight in combinations)
    for hour in range(_BEGIN, _BEGIN + days * 24 * HOUR, HOUR):
        for project, key, (provider, model), route, status, weight in combinations:
            count = _around(events / (days * 24) * weight / whole, chance)
            if count:
                yield _row(hour, (project, key, provider, model, route, status), count, chance)


def _combinations(chance: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in range(40):
        for key in range(3):
            for model in chance.sample(_MODELS, 2):
                for status, share in _STATUSES:
                    weight = share * chance.paretovariate(1.1)
                    yield (
                        f"project-{number}",
                        f"key-{number}-{key}",
                        model,
                        chance.choice(("default", "cheap")),
                        status,
                        weight,
                    )


def _around(expected: float, chance: random.Random) -> int:
    return int(expected) + (chance.random() < expected % 1)


def _row(hour: int, names: tuple[str, ...], count: int, chance: random.Random) -> dict[str, Any]:
    project, key, provider, model, route, status = names
    prompt, completion = count * chance.randint(200, 2000), count * chance.randint(50, 500)
    return {
        "hour": hour,
        "organization": f"org-{int(project.rpartition('-')[2]) % 5}",
        "project": project,
        "key_id": key,
        "provider": provider,
        "model": model,
        "route": route,
        "status": status,
        "currency": "RUB",
        "calls": count,
        "attempts": count,
        "requests": count,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cached_tokens": prompt // 4,
        "reasoning_tokens": 0,
        "tool_tokens": 0,
        "cost_nano": (prompt + completion) * 65_000,
        "held_nano": 0,
        "unpriced": 0,
        "estimated": 0,
        "latency_us": count * 900_000,
    }


def fill(database: Database, events: int, days: int) -> tuple[int, int]:
    """Write the sums; how many rows, and how many events they stand for."""
    migrate_now(database)
    found = list(rows(events, days))

    def work(connection: Connection) -> None:
        for start in range(0, len(found), 10_000):
            connection.execute(insert(usage_hour), found[start : start + 10_000])

    database.write_now(work)
    return len(found), sum(row["attempts"] for row in found)


def milliseconds(work: Callable[[], object], *, clock: Callable[[], float] = time.perf_counter) -> str:
    """Median and worst time of some rounds by `clock`, after one that warms up."""
    taken = []
    for _ in range(_ROUNDS + 1):
        before = clock()
        work()
        taken.append(clock() - before)
    return f"{statistics.median(taken[1:]) * 1000:,.0f} / {max(taken[1:]) * 1000:,.0f}"


def measure(name: str, url: str, events: int, days: int) -> None:
    """Fill one database and print its table."""
    database = Database(url)
    with contextlib.closing(database):
        count, stands_for = fill(database, events, days)
        period = between("2026-10-01", "2027-10-01", zone_of("Europe/Moscow"), datetime.now(UTC))
        table = [_row_of_table(database, url, period, by) for by in _BREAKDOWNS]
    title = f"{name}: {stands_for:,} events in {count:,} hourly sums; ms, median / worst of {_ROUNDS}"
    print_table(title, ["by", "lines", "query", "CPU of it here", "whole command"], table)


def _row_of_table(database: Database, url: str, period: Period, by: tuple[str, ...]) -> list[str]:
    def query() -> int:
        return _query(database, period, by)

    # a machine that is busy with something else makes the first and the last of these longer, the second hardly
    times = [milliseconds(query), milliseconds(query, clock=time.process_time)]
    return [",".join(by), str(query()), *times, milliseconds(lambda: _command(url, by))]


def _query(database: Database, period: Period, by: tuple[str, ...]) -> int:
    return len(database.read_now(lambda connection: usage_report(connection, period, by)).lines)


def _command(url: str, by: tuple[str, ...]) -> None:
    options = ["--from", "2026-10-01", "--to", "2027-10-01", "--by", ",".join(by), "--database", url]
    subprocess.run([str(Path(sys.executable).parent / "mlo"), "usage", *options], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Measure SQLite, and PostgreSQL where one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--postgres", metavar="URL", help="an empty database")
    options = parser.parse_args()
    start = milliseconds(lambda: subprocess.run([sys.executable, "-c", "import sqlalchemy"], check=True))
    print(f"an interpreter that imports SQLAlchemy and no more: {start} ms")
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", f"sqlite:///{folder}/ledger.db", options.events, options.days)
    if options.postgres:
        measure("PostgreSQL", options.postgres, options.events, options.days)


if __name__ == "__main__":
    main()
