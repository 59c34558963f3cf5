"""The commands `mlo usage`, `mlo prices` and `mlo ledger`, as a person types them."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import update

from mlo._cli.main import main
from mlo_ledger.database import Database
from mlo_ledger.migrate import migrate_now
from mlo_ledger.schema import usage_event
from tests.services.postgres import PostgresServer, postgres_server

from .usage_books import event, month_of_calls, write

Run: TypeAlias = Callable[..., tuple[int, str, str]]
NOVEMBER = ("--month", "2026-11")
FILE = """
provider = "gigachat"
currency = "RUB"
unit = "million tokens"
source = "tariffs"
checked_on = 2026-10-07
valid_from = 2026-02-01

[models."GigaChat-2"]
prompt = 65
completion = 65
cached = 0
"""


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MLO_CONFIG", "MLO_PROFILE", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLO_LANG", "en")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_it(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return run_it


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Database]:
    """The file `ledger.db` with some calls of November, and a configuration that names it."""
    Path("mlo.toml").write_text('[observers.books]\nuse = "ledger"\nurl = "sqlite:///ledger.db"\n')
    opened = Database(f"sqlite:///{tmp_path}/ledger.db")
    migrate_now(opened)
    write(opened, *month_of_calls())
    yield opened
    opened.close()


def refused(found: tuple[int, str, str], *said: str) -> None:
    code, out, err = found
    assert code == 2, err
    assert out == ""
    for words in said:
        assert words in err


# what was used


@pytest.mark.usefixtures("books")
def test_usage_is_a_table_with_bars(run: Run) -> None:
    code, out, _ = run("usage", *NOVEMBER)
    period, heads, *days, total = out.splitlines()[:6]
    assert code == 0
    assert period == "2026-11-01 00:00 to 2026-12-01 00:00, Europe/Moscow"
    assert heads.split() == ["DAY", "CALLS", "FAILED", "PROMPT", "COMPLETION", "COST"]
    assert days[0].split() == ["2026-11-01", "2", "0", "3,000", "600", "0.21", "₽", "█" * 16]
    assert days[1].split()[5:] == ["≥", "0.00078", "₽", "█" * 24]
    assert total.split()[:2] == ["TOTAL", "7"]
    assert out.splitlines()[6:] == [
        "at least 0.21 ₽ + 0.000000007 USD, 2 attempts without a known cost",
        "1 attempt whose outcome is unknown: the vendor may have charged for them",
        "1 attempt with tokens that were estimated, not reported",
    ]


@pytest.mark.usefixtures("books")
def test_usage_speaks_russian(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLO_LANG", "ru_RU.UTF-8")
    _, out, _ = run("usage", *NOVEMBER, "--by", "project", "--no-chart")
    lines = out.splitlines()
    assert lines[1].split() == ["ПРОЕКТ", "ВЫЗОВЫ", "СБОИ", "ЗАПРОС", "ОТВЕТ", "СТОИМОСТЬ"]
    assert lines[2].split() == ["shop", "2", "0", "3", "000", "600", "0,21", "₽"]
    assert "не менее 0,21 ₽ + 0,000000007 USD, 2 попытки с неизвестной стоимостью" in lines


@pytest.mark.parametrize(("count", "words"), [(1, "1 попытка"), (2, "2 попытки"), (5, "5 попыток"), (21, "21 попытка")])
def test_counts_agree_with_their_nouns(
    run: Run, books: Database, monkeypatch: pytest.MonkeyPatch, count: int, words: str
) -> None:
    monkeypatch.setenv("MLO_LANG", "ru")
    write(books, *(event("2026-12-01T00:00", usage_source=None) for _ in range(count)))
    assert f"стоимость неизвестна, {words} с неизвестной стоимостью" in run("usage", "--month", "2026-12")[1]


@pytest.mark.usefixtures("books")
def test_an_unknown_cost_is_never_shown_as_nothing(run: Run, books: Database) -> None:
    write(books, event("2026-12-01T00:00", usage_source=None))
    _, out, _ = run("usage", "--month", "2026-12", "--by", "model")
    assert out.splitlines()[2].split()[:6] == ["GigaChat-2", "1", "0", "0", "0", "?"]
    line = json.loads(run("usage", "--month", "2026-12", "--json")[1])["total"]
    assert (line["cost"], line["cost_known"], line["unpriced"]) == ({}, False, 1)


@pytest.mark.usefixtures("books")
def test_usage_as_csv_can_be_read_back_and_added_up(run: Run) -> None:
    code, out, err = run("usage", *NOVEMBER, "--by", "project,status", "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert (code, err) == (0, "")
    assert sum(int(row["calls"]) for row in rows) == 7
    assert sum(int(row["cost_nano"]) for row in rows if row["currency"] == "RUB") == 208_780_000
    unknown = [row for row in rows if row["status"] == "indeterminate"]
    assert [(row["currency"], row["cost"], row["unpriced"]) for row in unknown] == [("", "", "1")]


def test_csv_with_two_currencies_in_a_line_counts_calls_once(run: Run, books: Database) -> None:
    write(books, event("2026-12-01T00:00", price_id="vendor", cost_nano=5, currency="USD"))
    write(books, event("2026-12-01T00:00", prompt=1, completion=0))
    rows = list(csv.DictReader(io.StringIO(run("usage", "--month", "2026-12", "--csv")[1])))
    assert [(row["currency"], row["calls"], row["cost_nano"]) for row in rows] == [
        ("RUB", "2", "65000"),
        ("USD", "0", "5"),
    ]


@pytest.mark.usefixtures("books")
def test_usage_as_json_is_exact(run: Run) -> None:
    found = json.loads(run("usage", *NOVEMBER, "--by", "project", "--json")[1])
    assert found["period"] == {
        "from": "2026-11-01T00:00:00+03:00",
        "to": "2026-12-01T00:00:00+03:00",
        "zone": "Europe/Moscow",
        "shifted": False,
    }
    shop = next(line for line in found["lines"] if line["project"] == "shop")
    assert (shop["cost"], shop["cost_nano"], shop["cost_known"]) == ({"RUB": "0.208"}, {"RUB": 208_000_000}, True)
    assert found["total"]["cost_nano"] == {"RUB": 208_780_000, "USD": 7}


@pytest.mark.usefixtures("books")
def test_usage_can_be_narrowed(run: Run) -> None:
    found = json.loads(run("usage", *NOVEMBER, "--project", "bot", "--key", "k1", "--key", "k2", "--json")[1])
    assert found["total"]["calls"] == 3


@pytest.mark.usefixtures("books")
def test_a_time_without_calls_is_told(run: Run) -> None:
    assert run("usage", "--month", "2020-01")[1].splitlines()[1:] == ["no calls in this time"]


@pytest.mark.usefixtures("books")
def test_days_within_an_hour_of_utc_are_remarked(run: Run) -> None:
    assert "moved to its beginning" in run("usage", *NOVEMBER, "--zone", "Asia/Kolkata")[1]
    assert "moved to its beginning" not in run("usage", *NOVEMBER, "--zone", "Asia/Kolkata", "--by", "model")[1]


@pytest.mark.parametrize("letters", ["\x1b[2Jevil", "a\rb", "\u202etxt"])
def test_names_from_callers_move_no_cursor(run: Run, books: Database, letters: str) -> None:
    write(books, event("2026-12-01T00:00", prompt=1, completion=1, project=letters))
    out = run("usage", "--month", "2026-12", "--by", "project")[1]
    assert "\N{REPLACEMENT CHARACTER}" in out
    assert not {"\x1b", "\r", "\u202e"} & set(out)


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "weather"], "cannot break down by 'weather'"),
        (["--by", ""], "cannot break down by ''"),
        (["--last", "7"], "'7' is no length of time"),
        (["--month", "november"], "'november' is no month"),
        (["--zone", "Moscow"], "no time zone 'Moscow'"),
        (["--from", "yesterday"], "'yesterday' is no time"),
        (["--from", "2026-11-02", "--to", "2026-11-01"], "is no time, or none in the right order"),
        (["--to", "2026-11-01"], "--to needs --from"),
        (["--from", "2026-11-01", "--last", "7d"], "--from cannot go with"),
        (["--last", "7d", "--month", "2026-11"], "not allowed with"),
        (["--csv", "--json"], "not allowed with"),
        (["--mon", "2026-11"], "unrecognized arguments"),
        (["--observer", "other"], "there is no ledger 'other'"),
        (["--database", "nowhere.db"], "there is no ledger in nowhere.db yet"),
        (["--database", "mysql://root@localhost/x"], "no support for 'mysql'"),
        (["--database", "://"], "no URL of a database"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_named(run: Run, arguments: list[str], said: str) -> None:
    refused(run("usage", *arguments), said)


# which ledger


@pytest.mark.usefixtures("books")
def test_the_configuration_may_be_named_before_or_after_the_command(run: Run) -> None:
    Path("mlo.toml").rename("other.toml")
    refused(run("usage"), 'no observer with use = "ledger" is configured', "--database")
    assert run("--config", "other.toml", "usage", *NOVEMBER)[0] == 0
    assert run("usage", *NOVEMBER, "--config", "other.toml")[0] == 0


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("table", ["", '[gateway]\nfolder = "kept"\nauth = "keys"\n'])
def test_the_ledger_of_a_gateway_needs_no_observer(run: Run, table: str) -> None:
    folder = Path("kept" if table else "mlo-data")
    folder.mkdir()
    (folder / "mlo.db").symlink_to(Path("ledger.db").absolute())
    Path("mlo.toml").write_text(table)
    assert run("usage", *NOVEMBER)[0] == 0
    assert run("ledger", "verify")[0] == 0


def test_a_gateway_that_was_never_started_has_no_ledger_yet(run: Run) -> None:
    Path("mlo.toml").write_text("[gateway.serve]\nport = 0\n")
    refused(run("usage"), "there is no ledger in", "mlo-data/mlo.db", "gateway.database")
    assert not Path("mlo-data").exists()


@pytest.mark.usefixtures("books")
def test_a_profile_may_have_its_own_ledger(run: Run) -> None:
    with Path("mlo.toml").open("a") as file:
        file.write('[profiles.prod.observers.books]\nuse = "ledger"\nurl = "sqlite:///prod.db"\n')
    refused(run("usage", "--profile", "prod"), "observers.books.url", "no ledger in prod.db yet")
    assert run("usage")[0] == 0


@pytest.mark.usefixtures("books")
def test_where_there_are_two_one_must_be_chosen(run: Run) -> None:
    with Path("mlo.toml").open("a") as file:
        file.write('[observers.spare]\nuse = "ledger"\nurl = "env:SPARE"\n')
    refused(run("usage"), "several observers keep a ledger: books, spare", "--observer")
    assert run("usage", "--observer", "books")[0] == 0
    refused(run("usage", "--observer", "spare"), "SPARE")


def test_reading_creates_no_file(run: Run) -> None:
    Path("mlo.toml").write_text('[observers.books]\nuse = "ledger"\nurl = "sqlite:///new.db"\n')
    Path("prices.toml").write_text(FILE)
    for command in (["usage"], ["prices", "list"], ["prices", "check"], ["ledger", "verify"], ["ledger", "export"]):
        refused(run(*command), "there is no ledger in new.db yet", "mlo ledger migrate")
    refused(run("prices", "import", "prices.toml"), "there is no ledger in new.db yet")
    assert not Path("new.db").exists()


def test_a_file_that_is_no_ledger_is_left_alone(run: Run) -> None:
    Path("text.db").write_text("not a database at all, but long enough to look at" * 50)
    sqlite3.connect("empty.db").execute("CREATE TABLE other (a)").connection.close()
    code, _, err = run("usage", "--database", "text.db")
    assert (code, "not a database" in err, "unexpected" in err) == (1, True, False)
    code, _, err = run("usage", "--database", "empty.db")
    assert (code, "run the migration" in err) == (1, True)


def test_a_newer_ledger_is_not_touched(run: Run, books: Database) -> None:
    books.write_now(lambda connection: connection.exec_driver_sql("UPDATE ledger_version SET version_num = 'v9999'"))
    for command in (["usage"], ["ledger", "verify"], ["ledger", "migrate"]):
        code, _, err = run(*command)
        assert code == 1
        assert "v9999" in err


def test_passwords_are_in_no_message(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "s3cr3t-w0rd")
    Path("mlo.toml").write_text(
        '[observers.books]\nuse = "ledger"\nurl = "postgresql://mlo@127.0.0.1:1/x"\npassword = "env:DB_PASSWORD"\n'
    )
    for arguments in (["usage"], ["usage", "--database", "postgresql://mlo:s3cr3t-w0rd@127.0.0.1:1/x"]):
        code, out, err = run(*arguments)
        assert code == 1
        assert "does not serve" in err
        assert "s3cr3t" not in out + err


# prices


@pytest.mark.usefixtures("books")
def test_prices_are_checked_imported_and_listed(run: Run) -> None:
    Path("prices.toml").write_text(FILE.replace("GigaChat-2", "GigaChat-2-Max"))
    assert run("prices", "check", "prices.toml")[:2] == (0, "prices.toml: 1 price, no objections\n")
    assert run("prices", "import", "prices.toml", "--dry-run")[:2] == (0, "would be: 1 added, 0 ended, 0 confirmed\n")
    assert len(json.loads(run("prices", "list", "--json")[1])) == 1
    assert run("prices", "import", "prices.toml")[:2] == (0, "1 added, 0 ended, 0 confirmed\n")
    assert run("prices", "import", "prices.toml")[:2] == (0, "0 added, 0 ended, 1 confirmed\n")
    heads, _, row, unit = run("prices", "list")[1].splitlines()
    assert heads.split()[:4] == ["PROVIDER", "MODEL", "INPUT", "OUTPUT"]
    assert row.split() == ["gigachat", "GigaChat-2-Max", "65", "65", "0", "0", "2026-02-01", "2026-10-07", "file"]
    assert unit.startswith("per million tokens (RUB)")
    assert run("prices", "check")[:2] == (0, "the ledger: 2 prices, no objections\n")


@pytest.mark.usefixtures("books")
def test_a_new_version_is_listed_by_time(run: Run) -> None:
    Path("new.toml").write_text(FILE.replace("2026-02-01", "2026-06-01").replace("= 65", "= 70"))
    assert run("prices", "import", "new.toml")[1] == "1 added, 1 ended, 0 confirmed\n"

    def listed(*arguments: str) -> list[tuple[str, Any]]:
        found = json.loads(run("prices", "list", "--model", "GigaChat-2", "--json", *arguments)[1])
        return [(each["prompt"], each["valid_to"]) for each in found]

    assert listed("--at", "2026-05-31T23:59") == [("65", "2026-06-01T00:00:00+03:00")]
    assert listed("--at", "2026-06-01") == [("70", None)]
    assert len(listed("--all")) == 2
    assert listed("--provider", "nobody") == []
    refused(run("prices", "list", "--at", "then"), "'then' is no time")


@pytest.mark.usefixtures("books")
def test_json_files_are_prices_too(run: Run) -> None:
    shared = {"currency": "USD", "unit": "token", "source": "s", "checked_on": "2026-10-07", "valid_from": "2026-01-01"}
    model = {"prompt": "0.000001", "completion": "0.0000025", "request": "0.01"}
    Path("prices.json").write_text(json.dumps({**shared, "models": {"m": model}}))
    assert run("prices", "import", "prices.json")[0] == 0
    found = json.loads(run("prices", "list", "--model", "m", "--json")[1])
    assert [(each["prompt"], each["completion"], each["request"], each["currency"]) for each in found] == [
        ("1", "2.5", "0.01", "USD")
    ]


@pytest.mark.usefixtures("books")
def test_an_import_that_contradicts_what_was_accounted_is_refused(run: Run) -> None:
    Path("good.toml").write_text(FILE.replace("GigaChat-2", "other"))
    Path("bad.toml").write_text(FILE.replace("2026-02-01", "1970-01-01T00:00:00Z"))
    code, out, err = run("prices", "import", "good.toml", "bad.toml")
    assert (code, out) == (1, "")
    assert "gigachat/GigaChat-2: contradicts the price that the ledger has from" in err
    assert "nothing was imported" in err
    assert len(json.loads(run("prices", "list", "--all", "--json")[1])) == 1


@pytest.mark.usefixtures("books")
def test_overlaps_are_refused_and_gaps_are_told(run: Run) -> None:
    head, model = FILE.split("[models", 1)
    first = f"[[models{model}".replace('"]', '"]]') + "valid_to = 2026-03-01\n"
    for begin, code, said in (("2026-02-20", 1, "overlaps"), ("2026-04-01", 0, "has no price from")):
        second = first.replace("2026-03-01", f"2026-12-01\nvalid_from = {begin}")
        Path("two.toml").write_text(head + first + second)
        found = run("prices", "check", "two.toml")
        assert (found[0], said in found[2]) == (code, True)
        assert run("prices", "check", "two.toml", "--strict")[0] == 1
    Path("two.toml").write_text((head + first + second.replace("2026-04-01", "2026-02-20")).replace("GigaChat", "Giga"))
    code, _, err = run("prices", "import", "two.toml")
    assert (code, "nothing was imported" in err) == (1, True)


@pytest.mark.usefixtures("books")
def test_two_files_with_one_price_overlap(run: Run) -> None:
    for name in ("a.toml", "b.toml"):
        Path(name).write_text(FILE.replace("GigaChat-2", "m"))
    code, _, err = run("prices", "import", "a.toml", "b.toml")
    assert (code, "two prices of m begin" in err) == (1, True)


def test_stale_prices_are_told(run: Run) -> None:
    Path("old.toml").write_text(FILE.replace("2026-10-07", "2024-01-01"))
    code, out, err = run("prices", "check", "old.toml")
    assert (code, out) == (0, "")
    assert "last checked on 2024-01-01" in err
    assert run("prices", "check", "old.toml", "--stale-days", "99999")[2] == ""
    refused(run("prices", "check", "old.toml", "--stale-days", "soon"), "'soon' is no whole number")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), (b"\xff\xfe\x00", "cannot be read"), (b"a = ", "is not TOML"), (b"", "table of models")],
    ids=["missing", "encoding", "syntax", "empty"],
)
def test_files_that_are_no_price_files(run: Run, content: bytes | None, said: str) -> None:
    if content is not None:
        Path("p.toml").write_bytes(content)
    refused(run("prices", "check", "p.toml"), "p.toml", said)


# the books themselves


@pytest.mark.usefixtures("books")
def test_verify_agrees_or_says_what_does_not(run: Run, books: Database) -> None:
    code, out, _ = run("ledger", "verify")
    assert code == 0
    assert out.splitlines()[-1] == "7 events, 1 price, 7 hourly sums, 0 limit windows: everything agrees"
    books.write_now(lambda connection: connection.execute(update(usage_event).values(cost_nano=1)))
    code, out, _ = run("ledger", "verify")
    assert code == 1
    assert "events whose cost is not that of their price: 6" in out
    assert "expected 130000000 RUB, found 1" in out
    found = json.loads(run("ledger", "verify", "--json")[1])
    assert (found["agrees"], found["counts"]["cost"]) == (False, 6)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_events_are_exported_and_can_be_read_back(run: Run, books: Database, form: str) -> None:
    decision = json.dumps({"strategy": "cheapest", "chosen": ["main"]})
    write(books, event("2026-12-01T10:00", prompt=3, completion=4, decision=decision, project='комма, "кавычка"\n'))
    code, out, _ = run("ledger", "export", "--format", form)
    rows: Sequence[dict[str, Any]]
    rows = list(csv.DictReader(io.StringIO(out))) if form == "csv" else [json.loads(each) for each in out.splitlines()]
    assert (code, len(rows)) == (0, 8)
    last = rows[-1]
    assert last["project"] == 'комма, "кавычка"\n'
    assert last["time"] == "2026-12-01T07:00:00.000000+00:00"
    assert (last["cost"], int(last["cost_nano"])) == ("0.000715", 715_000)
    assert (json.loads(last["decision"]) if form == "csv" else last["decision"])["strategy"] == "cheapest"
    assert rows[3]["cost_nano"] in {"", None}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)


@pytest.mark.usefixtures("books")
def test_an_export_may_be_of_a_time_to_the_second(run: Run) -> None:
    code, out, _ = run("ledger", "export", "--from", "2026-11-02", "--to", "2026-11-02T12:00:01")
    assert (code, len(out.splitlines())) == (0, 2)
    assert run("ledger", "export", "--month", "2020-01")[:2] == (0, "")


@pytest.mark.usefixtures("books")
def test_an_export_overwrites_nothing(run: Run) -> None:
    code, out, err = run("ledger", "export", "--output", "events.jsonl")
    assert (code, out, err) == (0, "", "7 events written to events.jsonl\n")
    assert len(Path("events.jsonl").read_text().splitlines()) == 7
    refused(run("ledger", "export", "--output", "events.jsonl"), "exists already")
    refused(run("ledger", "export", "--output", "no/such/folder"), "cannot be written")


def test_migrating_makes_a_ledger_and_only_on_demand_destroys_it(run: Run) -> None:
    assert run("ledger", "migrate", "--database", "new.db")[:2] == (0, "schema none → v0001\n")
    assert run("ledger", "migrate", "--database", "new.db")[:2] == (0, "the schema is at v0001\n")
    assert run("ledger", "verify", "--database", "new.db")[0] == 0
    refused(run("ledger", "migrate", "--database", "new.db", "--to", "base"), "loses data", "--yes")
    assert run("ledger", "migrate", "--database", "new.db", "--to", "base", "--yes")[:2] == (
        0,
        "schema v0001 → none\n",
    )
    refused(run("ledger", "migrate", "--database", "new.db", "--to", "v0"), "no version 'v0'", "base, v0001")


# while a server is writing, on PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as started:
        yield started


def test_everything_works_on_postgresql(run: Run, server: PostgresServer) -> None:
    place = ("--database", server.database())
    assert run("ledger", "migrate", *place)[:2] == (0, "schema none → v0001\n")
    opened = Database(place[1])
    write(opened, *month_of_calls())
    opened.close()
    Path("new.toml").write_text(FILE.replace("2026-02-01", "2026-06-01").replace("= 65", "= 70"))
    assert run("prices", "import", "new.toml", *place)[1] == "1 added, 1 ended, 0 confirmed\n"
    assert json.loads(run("usage", *NOVEMBER, "--json", *place)[1])["total"]["cost_nano"]["RUB"] == 208_780_000
    assert run("ledger", "verify", *place)[0] == 0
    assert len(run("ledger", "export", *place)[1].splitlines()) == 7
    assert run("ledger", "migrate", "--to", "base", "--yes", *place)[:2] == (0, "schema v0001 → none\n")


def test_reports_do_not_wait_for_a_writer(run: Run, books: Database) -> None:
    def work(connection: Any) -> int:
        connection.execute(update(usage_event).values(cost_nano=1))
        return run("ledger", "verify")[0]

    assert books.write_now(work) == 0
