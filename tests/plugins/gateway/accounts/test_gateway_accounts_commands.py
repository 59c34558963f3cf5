"""`mlo keys` and `mlo gateway`, on the database itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from mlo._cli.main import main
from mlo_gateway.accounts.schema import audit_event
from mlo_gateway.accounts.tokens import is_well_formed
from mlo_gateway.console import texts
from mlo_gateway.console.times import length_of
from mlo_ledger.database import Database
from tests.services.postgres import PostgresServer

Mlo = Callable[..., tuple[int, str, str]]
CONFIG = """
[gateway.plans.team]
title = "Team"
requests_month = 500
"""


@pytest.fixture
def mlo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mlo:
    monkeypatch.chdir(tmp_path)
    for name in ("MLO_CONFIG", "MLO_PROFILE", "MLO_LANG", "LC_ALL", "LC_MESSAGES", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def json_of(mlo: Mlo, *arguments: str) -> Any:
    code, out, err = mlo(*arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_key_is_printed_alone_and_once(mlo: Mlo, tmp_path: Path) -> None:
    code, out, err = mlo("keys", "create", "--name", "CI")
    secret = out.removesuffix("\n")
    assert code == 0
    assert is_well_formed(secret.encode())
    assert secret not in err
    _, listed, _ = mlo("keys", "list")
    assert secret[:12] in listed
    assert secret not in listed
    assert secret.encode() not in (tmp_path / "mlo-data" / "mlo.db").read_bytes()


def test_an_owners_key_reaches_over_everything(mlo: Mlo) -> None:
    owner = json_of(mlo, "keys", "create", "--role", "owner")
    assert (owner["role"], owner["reach"], owner["scopes"]) == ("owner", "gateway", ["admin", "inference"])
    plain = json_of(mlo, "keys", "create")
    assert (plain["role"], plain["reach"], plain["scopes"]) == ("developer", "project", ["inference"])
    narrow = json_of(mlo, "keys", "create", "--role", "owner", "--reach", "project", "--scope", "admin")
    assert (narrow["reach"], narrow["scopes"]) == ("project", ["admin"])


def test_everything_a_key_may_have(mlo: Mlo) -> None:
    options = ["--model", "local*", "--model", "giga", "--expires", "90d", "--budget", "10.5", "--concurrency", "2"]
    made = json_of(mlo, "keys", "create", *options)
    assert made["models"] == ["local*", "giga"]
    assert made["expires"] - made["created"] == pytest.approx(90 * 86_400 * 10**6, abs=60 * 10**6)
    assert (made["limits"]["budget"], made["limits"]["concurrency"]) == (10_500_000_000, 2)
    (listed,) = json_of(mlo, "keys", "list")
    assert listed == {name: value for name, value in made.items() if name != "secret"}


def test_rotate_and_revoke(mlo: Mlo) -> None:
    _, out, _ = mlo("keys", "create")
    code, newer, err = mlo("keys", "rotate", out[:12], "--overlap", "24h")
    assert (code, is_well_formed(newer.strip().encode())) == (0, True)
    assert "goes on until" in err
    code, _, err = mlo("keys", "rotate", newer[:12])
    assert (code, "has ended" in err) == (0, True)
    code, _, err = mlo("keys", "revoke", out[:12])
    assert (code, "is revoked" in err) == (0, True)
    code, _, err = mlo("keys", "revoke", out[:12])
    assert (code, "is revoked" in err) == (1, True)
    assert len(json_of(mlo, "keys", "list")) == 1
    assert len(json_of(mlo, "keys", "list", "--all")) == 3


def test_organizations_projects_members_plans(mlo: Mlo, tmp_path: Path) -> None:
    (tmp_path / "mlo.toml").write_text(CONFIG)
    assert mlo("gateway", "organizations", "create", "acme", "--title", "Acme")[0] == 0
    assert mlo("gateway", "organizations", "change", "acme", "--title", "ACME")[0] == 0
    assert json_of(mlo, "gateway", "projects", "create", "shop", "--organization", "acme")["plan"] == "enterprise"
    assert json_of(mlo, "gateway", "projects", "change", "shop", "--plan", "team")["plan"] == "team"
    person = json_of(mlo, "gateway", "members", "add", "Ира", "--organization", "acme", "--project", "shop")
    assert json_of(mlo, "gateway", "members", "change", person["id"], "--role", "viewer")["role"] == "viewer"
    made = json_of(mlo, "keys", "create", "--project", "shop", "--role", "viewer", "--member", person["id"])
    assert made["member"] == person["id"]
    assert "Ира" in mlo("gateway", "members", "list")[1]
    assert mlo("gateway", "members", "remove", person["id"])[0] == 0
    assert json_of(mlo, "keys", "list") == []
    assert mlo("gateway", "plans", "set", "big", "--budget", "500", "--requests-minute", "60")[0] == 0
    sources = {plan["name"]: plan["source"] for plan in json_of(mlo, "gateway", "plans", "list")}
    expected = {"big": "database", "team": "configuration", "free": "package", "pro": "package"}
    assert sources == {**expected, "enterprise": "package"}
    assert "Team" in mlo("gateway", "plans", "list")[1]
    assert mlo("gateway", "plans", "drop", "big")[0] == 0
    assert mlo("gateway", "projects", "close", "shop")[0] == 0
    assert mlo("gateway", "organizations", "close", "acme")[0] == 0
    assert "closed" in mlo("gateway", "projects", "list", "--organization", "acme")[1]
    assert "closed" in mlo("gateway", "organizations", "list")[1]


def test_the_audit_log_tells_who_it_was(mlo: Mlo, tmp_path: Path) -> None:
    mlo("keys", "create")
    events = json_of(mlo, "gateway", "audit")
    assert [event["action"] for event in events] == ["key.create", "project.create", "organization.create"]
    assert (events[0]["actor"].startswith("cli:"), events[0]["address"]) == (True, "local")
    assert "key.create" in mlo("gateway", "audit", "--limit", "1")[1]
    assert mlo("gateway", "audit", "--check")[:2] == (0, "3 events, all as they were written\n")
    database = Database(f"sqlite:///{tmp_path / 'mlo-data' / 'mlo.db'}")
    forged = update(audit_event).where(audit_event.c.seq == 2).values(actor="nobody")
    database.write_now(lambda connection: connection.execute(forged))
    database.close()
    assert mlo("gateway", "audit", "--check")[:2] == (1, "event 2 was changed\n")


def test_nothing_is_made_by_looking(mlo: Mlo, tmp_path: Path) -> None:
    for arguments in (["keys", "list"], ["gateway", "audit"], ["keys", "revoke", "key-x"]):
        code, _, err = mlo(*arguments)
        assert (code, "no database" in err, "mlo keys create" in err) == (2, True, True)
    assert list(tmp_path.iterdir()) == []
    assert mlo("gateway", "migrate")[0] == 0
    assert mlo("keys", "list")[2] == "there are none\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["keys", "create", "--project", "nothing"], "there is no project 'nothing'"),
        (["keys", "create", "--budget", "much"], "'much' is not an amount"),
        (["keys", "create", "--expires", "soon"], "write it like 90d"),
        (["keys", "create", "--expires", "2001-01-01"], "lies in the past"),
        (["keys", "rotate", "key-x", "--overlap", "-1h"], "overlap"),
        (["keys", "create", "--concurrency", "0"], "at least 1"),
        (["gateway", "plans", "set", "x", "--time-zone", "Mars"], "no time zone 'Mars'"),
        (["gateway", "projects", "create", "A B"], "small letters"),
        (["gateway", "projects", "create", "x", "--plan", "gold"], "there is no plan 'gold'"),
    ],
)
def test_mistakes_are_named(mlo: Mlo, arguments: list[str], words: str) -> None:
    mlo("gateway", "migrate")
    code, out, err = mlo(*arguments)
    assert code in {1, 2}
    assert words in err
    assert out == ""


def test_the_same_on_postgresql(mlo: Mlo, postgres: PostgresServer) -> None:
    url = postgres.database()
    made = json_of(mlo, "keys", "create", "--database", url)
    assert [key["id"] for key in json_of(mlo, "keys", "list", "--database", url)] == [made["id"]]


def test_in_russian(mlo: Mlo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLO_LANG", "ru")
    assert "показывается только сейчас" in mlo("keys", "create")[2]
    assert "ПРОЕКТ" in mlo("keys", "list")[1]
    assert "журнал аудита" in mlo("gateway", "--help")[1]


def test_every_text_is_there_in_both_languages() -> None:
    for key, (english, russian) in texts._TEXTS.items():
        assert english and russian, key
        assert sorted(_names(english)) == sorted(_names(russian)), key


def _names(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]


@pytest.mark.parametrize("command", [["keys"], ["gateway"], ["gateway", "plans", "set"], ["keys", "create"]])
@pytest.mark.parametrize("language", ["en", "ru"])
def test_help(mlo: Mlo, monkeypatch: pytest.MonkeyPatch, command: list[str], language: str) -> None:
    monkeypatch.setenv("MLO_LANG", language)
    code, out, err = mlo(*command, "--help")
    assert (code, err) == (0, "")
    assert ("показать эту справку" in out) is (language == "ru")


def test_lengths_of_time() -> None:
    assert [length_of(word) for word in ("0", "90s", "30m", "24h", "2w")] == [
        0,
        90 * 10**6,
        30 * 60 * 10**6,
        24 * 3600 * 10**6,
        14 * 86_400 * 10**6,
    ]
