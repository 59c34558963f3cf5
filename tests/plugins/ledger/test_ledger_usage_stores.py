"""Reports, imports and audits on both databases; every kind of tampering is found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from sqlalchemy import Connection, delete, insert, text, update

from mlo.models import Price
from mlo_ledger.database import Database
from mlo_ledger.leasing import ensure_window
from mlo_ledger.limits import Limit
from mlo_ledger.migrate import migrate_now
from mlo_ledger.pricing import PriceRow, price_id
from mlo_ledger.reports.audit import Audit, audit
from mlo_ledger.reports.periods import Period, between, month
from mlo_ledger.reports.stored_prices import IMPORTED, import_prices, stored_prices
from mlo_ledger.reports.usage import Report, usage_report
from mlo_ledger.schema import ledger_meta, price, quota_lease, quota_window, usage_event, usage_hour
from mlo_ledger.windows import period_of
from tests.services.postgres import PostgresServer, postgres_server

from .usage_books import PRICE, RUBLE, at, event, month_of_calls, write

NOVEMBER = "2026-11"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/ledger.db"
    else:
        url = request.getfixturevalue("server").database()
    opened = Database(url)
    migrate_now(opened)
    yield opened
    opened.close()


def zone(name: str = "Europe/Moscow") -> ZoneInfo:
    return ZoneInfo(name)


def november(name: str = "Europe/Moscow") -> Period:
    return month(NOVEMBER, zone(name))


def report(database: Database, *by: str, period: Period | None = None, **only: list[str]) -> Report:
    return database.read_now(partial(usage_report, period=period or november(), by=by, only=only))


def costs(found: Report) -> dict[tuple[str, ...], dict[str, int]]:
    return {line.keys: dict(line.costs) for line in found.lines}


# reports


def test_days_are_those_of_the_zone(database: Database) -> None:
    write(database, *month_of_calls())
    found = report(database, "day")
    assert costs(found) == {
        ("2026-11-01",): {"RUB": 130_000_000 + 78_000_000},
        ("2026-11-02",): {"RUB": 780_000},
        ("2026-11-03",): {"USD": 7},
    }
    assert [line.calls for line in found.lines] == [2, 3, 2]
    utc = report(database, "day", period=between("2026-10-31", "2026-11-02", zone("UTC"), datetime.now(UTC)))
    assert {line.keys[0]: line.calls for line in utc.lines} == {"2026-10-31": 1, "2026-11-01": 2}


def test_what_is_unknown_is_not_nothing(database: Database) -> None:
    write(database, *month_of_calls())
    total = report(database, "project").total
    assert (total.calls, total.failed, total.attempts) == (7, 2, 7)
    assert (total.unpriced, total.estimated, total.indeterminate) == (2, 1, 1)
    assert total.costs == {"RUB": 208_780_000, "USD": 7}
    bot = next(line for line in report(database, "project").lines if line.keys == ("bot",))
    assert (bot.unpriced, bot.costs) == (2, {"RUB": 780_000})


@pytest.mark.parametrize(
    "by", ["organization", "project", "key", "provider", "model", "route", "status", "hour", "month", "day"]
)
def test_the_lines_of_any_breakdown_add_up_to_the_total(database: Database, by: str) -> None:
    write(database, *month_of_calls())
    found = report(database, by, "model")
    assert sum(line.calls for line in found.lines) == found.total.calls == 7
    for currency, nano in found.total.costs.items():
        assert sum(line.costs.get(currency, 0) for line in found.lines) == nano
    assert len({line.keys for line in found.lines}) == len(found.lines)


def test_a_report_can_be_narrowed(database: Database) -> None:
    write(database, *month_of_calls())
    assert costs(report(database, "key", project=["bot"], status=["ok"])) == {("k1",): {"RUB": 780_000}}
    assert costs(report(database, "provider", project=[""])) == {("own",): {"USD": 7}}
    assert report(database, "day", project=["shop", "bot"]).total.calls == 6
    assert report(database, "day", project=["nobody"]).lines == ()


def test_an_hour_that_comes_twice_is_two_hours(database: Database) -> None:
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    for moment in (first, second):
        write(database, event("2026-11-01T00:00", prompt=1, completion=1, ts=int(moment.timestamp()) * 1_000_000))
    found = report(database, "hour", period=month("2026-10", zone("Europe/Berlin")))
    assert [line.keys for line in found.lines] == [("2026-10-25 02:00+02:00",), ("2026-10-25 02:00+01:00",)]
    days = report(database, "day", period=month("2026-10", zone("Europe/Berlin")))
    assert [(line.keys, line.calls) for line in days.lines] == [(("2026-10-25",), 2)]


def test_days_that_begin_within_an_hour_of_utc_begin_with_it(database: Database) -> None:
    for hour, minute in ((17, 59), (18, 0), (18, 45)):
        moment = int(datetime(2026, 11, 9, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000
        write(database, event("2026-11-01T00:00", prompt=1, completion=1, ts=moment))
    found = report(database, "day", period=november("Asia/Kolkata"))
    assert found.period.shifted
    assert {line.keys[0]: line.calls for line in found.lines} == {"2026-11-09": 1, "2026-11-10": 2}


def test_a_thousand_years_are_no_trouble(database: Database) -> None:
    write(database, *month_of_calls())
    period = between("1026-01-01", "3026-01-01", zone("Europe/Berlin"), datetime.now(UTC))
    assert report(database, "month", period=period).total.calls == 7


def test_sums_beyond_what_floats_hold_are_exact(database: Database) -> None:
    huge = 2**53 + 1
    for _ in range(2):
        write(database, event("2026-11-05T00:00", price_id="vendor", cost_nano=huge, currency="RUB"))
    assert report(database, "day").total.costs == {"RUB": 2 * huge}


# prices


def test_imports_are_all_or_nothing(database: Database) -> None:
    def first(connection: Connection) -> None:
        import_prices(connection, [PRICE])

    database.write_now(first)
    other = PriceRow(model="new", price=Price(prompt=1, completion=1))
    wrong = evolve(PRICE, price=evolve(PRICE.price, prompt=1))
    merged = database.write_now(lambda connection: import_prices(connection, [other, wrong]))
    assert merged.refused == ((evolve(PRICE, id=price_id(PRICE)), wrong),)
    assert [row.model for row in database.read_now(stored_prices)] == ["GigaChat-2"]


def test_a_new_version_closes_the_old_one_and_events_keep_theirs(database: Database) -> None:
    write(database, *month_of_calls())
    newer = evolve(PRICE, valid_from=at("2026-11-02T00:00"), price=evolve(PRICE.price, prompt=RUBLE))
    database.write_now(lambda connection: import_prices(connection, [newer]))
    rows = database.read_now(partial(_imported))
    assert [(row.valid_from, row.valid_to) for row in rows] == [(0, newer.valid_from), (newer.valid_from, None)]
    assert database.read_now(audit).agrees


def _imported(connection: Connection) -> list[PriceRow]:
    return stored_prices(connection, IMPORTED)


def test_confirming_a_price_dates_it_anew_and_nothing_else(database: Database) -> None:
    again = evolve(PRICE, price=evolve(PRICE.price, checked_on="2026-11-26", source="tariffs, page 2"))
    for rows in ([PRICE], [again], [again]):
        merged = database.write_now(partial(import_prices, rows=rows))
    assert (merged.added, len(merged.confirmed)) == ((), 1)
    (row,) = database.read_now(stored_prices)
    assert (row.id, row.price, row.price.checked_on) == (price_id(PRICE), PRICE.price, "2026-11-26")


# audits


def audited(database: Database) -> Audit:
    return database.read_now(audit)


def tampered(database: Database, statement: Any) -> dict[str, int]:
    write(database, *month_of_calls())
    limit = Limit(scope="project:shop", requests=100, nano=10**12)
    period = period_of(limit, at("2026-11-10T00:00"))
    database.write_now(lambda connection: ensure_window(connection, limit, period))
    assert audited(database).agrees
    assert database.write_now(lambda connection: connection.execute(statement).rowcount) != 0
    return {str(kind): count for kind, count in audited(database).counts.items()}


SHOP = usage_event.c.project == "shop"


def test_books_in_order_agree(database: Database) -> None:
    write(database, *month_of_calls())
    found = audited(database)
    assert (found.events, found.vendor, found.prices, found.agrees) == (7, 1, 1, True)
    assert found.hours == 7


def test_nothing_at_all_agrees(database: Database) -> None:
    assert audited(database) == Audit(
        events=0, vendor=0, prices=0, hours=0, windows=0, unchecked=0, differences=(), counts={}
    )


@pytest.mark.parametrize(
    ("statement", "kinds"),
    [
        (update(usage_event).where(SHOP).values(cost_nano=usage_event.c.cost_nano - 1), {"cost", "hour", "window"}),
        (update(usage_event).where(SHOP).values(cost_nano=None), {"cost", "hour", "window"}),
        (update(usage_event).where(SHOP).values(prompt_tokens=usage_event.c.prompt_tokens + 1), {"cost", "hour"}),
        (update(usage_event).where(SHOP).values(price_id=None), {"cost"}),
        (update(usage_event).where(SHOP).values(currency="USD"), {"cost", "hour", "window"}),
        (update(usage_event).where(SHOP).values(project="other"), {"hour", "window"}),
        (update(usage_event).where(SHOP).values(ts=at("2026-10-05T00:00")), {"hour", "window"}),
        (update(usage_event).where(SHOP).values(requests=0), {"hour", "window"}),
        (delete(usage_event).where(SHOP), {"hour", "window"}),
        (delete(usage_event).where(usage_event.c.status == "error"), {"hour"}),
        (update(usage_hour).values(cost_nano=usage_hour.c.cost_nano + 1), {"hour"}),
        (update(usage_hour).where(usage_hour.c.unpriced > 0).values(unpriced=0), {"hour"}),
        (delete(usage_hour).where(usage_hour.c.project == "bot"), {"hour"}),
        (update(price).values(completion=price.c.completion + RUBLE), {"price", "cost"}),
        (update(price).values(request=1), {"price", "cost"}),
        (delete(price), {"cost"}),
        (update(quota_window).values(used_nano=0), {"window"}),
        (update(quota_window).values(doubtful_requests=3), {"window"}),
        (update(quota_window).values(reserved_requests=3), {"lease"}),
    ],
    ids=lambda value: str(value).replace("\n", "")[:60] if not isinstance(value, set) else "",
)
def test_tampering_is_found(database: Database, statement: Any, kinds: set[str]) -> None:
    assert set(tampered(database, statement)) == kinds


def test_an_event_that_was_slipped_in_is_found(database: Database) -> None:
    columns = [column.name for column in usage_event.columns]
    row = dict(zip(columns, event("2026-11-04T00:00", prompt=1, completion=1), strict=True))
    assert tampered(database, insert(usage_event).values(row)) == {"hour": 1}


def test_leases_hold_what_windows_reserve(database: Database) -> None:
    lease = {"id": "l", "scope": "project:shop", "period": NOVEMBER, "zone": "Europe/Moscow", "owner": "o"}
    amounts = {"requests": 5, "nano": 7, "expires": 0, "lost": 0}
    assert tampered(database, insert(quota_lease).values({**lease, **amounts})) == {"lease": 2}


def test_differences_say_where_and_what(database: Database) -> None:
    write(database, event("2026-11-01T00:00", prompt=1000, completion=0))
    database.write_now(lambda connection: connection.execute(update(usage_event).values(cost_nano=1)))
    cost, hour = audited(database).differences
    assert (cost.kind, cost.expected, cost.found) == ("cost", "65000000 RUB", "1 RUB")
    assert (hour.kind, hour.expected, hour.found) == ("hour", "cost_nano 1", "cost_nano 65000000")


def test_many_differences_are_counted_and_some_shown(database: Database) -> None:
    write(database, *(event("2026-11-01T00:00", prompt=1000, completion=0) for _ in range(30)))
    database.write_now(lambda connection: connection.execute(delete(price)))
    found = audited(database)
    assert (found.counts["cost"], len(found.differences)) == (30, 20)


def test_what_was_deleted_on_purpose_is_no_difference(database: Database) -> None:
    write(database, *month_of_calls())
    kept_from = at("2026-11-02T00:00")

    def retire(connection: Connection) -> None:
        connection.execute(delete(usage_event).where(usage_event.c.ts < kept_from))
        connection.execute(insert(ledger_meta).values(name="events_from", value=str(kept_from)))

    database.write_now(retire)
    assert audited(database).agrees


def test_an_audit_sees_one_state_while_others_write(database: Database) -> None:
    """The sums are read after the events: a settlement in between must be in neither."""
    write(database, *month_of_calls())

    def work(connection: Connection) -> Audit:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SELECT count(*) FROM usage_event")).scalar()
        write(database, event("2026-11-09T00:00", prompt=1, completion=1))
        return audit(connection)

    found = database.read_now(work)
    assert (found.events, found.agrees) == (7, True)
    assert audited(database).events == 8
