from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mlo_cli.commands import embed, health, models

Config = Callable[[str], None]

MIXED = """
[providers.good]
use = "mock"
models = ["small", "large"]

[providers.bad]
use = "mock"
mode = "unhealthy"
"""
BROKEN = '[providers.good]\nuse = "mock"\n[providers.bad]\nuse = "mock"\nmood = "?"\n'


def rows(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()]


def test_models_are_listed_by_provider(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(MIXED)
    assert models(["-p", "good"]) == 0
    header, first, second = rows(capsys.readouterr().out)
    assert header == ["PROVIDER", "MODEL", "CONTEXT", "ABILITIES", "PRICE"]
    assert (first[:2], second[:2]) == (["good", "small"], ["good", "large"])


def test_models_as_json(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(MIXED)
    assert models(["--json", "--provider", "good"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [model["id"] for model in listed["good"]] == ["small", "large"]
    assert "chat" in listed["good"][0]["capabilities"]
    assert listed["good"][0]["price"] is None


def test_provider_that_fails_does_not_hide_the_others(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(BROKEN)
    assert models([]) == 1
    printed = capsys.readouterr()
    assert ["good", "mock"] in [row[:2] for row in rows(printed.out)]
    assert printed.err.startswith("error: bad: ")


def test_failed_provider_as_json(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(BROKEN)
    assert models(["--json"]) == 1
    assert json.loads(capsys.readouterr().out)["bad"]["error"]["type"] == "ConfigError"


def test_unknown_provider_is_wrong(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(MIXED)
    assert models(["-p", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


def test_health_of_the_well_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert health([]) == 0
    assert rows(capsys.readouterr().out)[1][:2] == ["mock", "ok"]


def test_health_of_one_sick_is_1(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(MIXED)
    assert health([]) == 1
    assert [row[:2] for row in rows(capsys.readouterr().out)[1:]] == [["good", "ok"], ["bad", "FAILED"]]


def test_health_as_json(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(MIXED)
    assert health(["--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {name: state["healthy"] for name, state in found.items()} == {"good": True, "bad": False}


def test_provider_that_cannot_be_opened_is_sick(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(BROKEN)
    assert health([]) == 1
    assert "mood" in capsys.readouterr().out


def test_vectors_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert embed(["one", "two"]) == 0
    vectors = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(vector) for vector in vectors] == [64, 64]
    assert vectors[0] != vectors[1]


def test_vectors_as_one_object(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\ndimensions = 3\n')
    assert embed(["--json", "-t", "m", "one"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dimensions"] == len(found["vectors"][0]) == 3
    assert found["target"] == "m"
    assert found["usage"]["prompt_tokens"] == 1


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_texts_come_from_a_pipe(
    arguments: list[str], stdin: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stdin("one\n\ntwo\n")
    assert embed(arguments) == 0
    assert capsys.readouterr().out.count("\n") == 2


def test_nothing_to_embed_is_wrong_usage(stdin: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    stdin("\n")
    assert embed([]) == 2
    assert "nothing to embed" in capsys.readouterr().err


def test_failure_to_embed_as_json(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nmode = "auth-error"\n')
    assert embed(["--json", "x"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "AuthFailed"
