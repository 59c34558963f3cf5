from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mlo._cli.main import main
from mlo.testing import fake_dist, installed
from tests.core.samples import HEAD, provider_dist

pytestmark = pytest.mark.usefixtures("workplace")

PLUGIN = (
    HEAD
    + """
from typing import Literal

@frozen(kw_only=True)
class Options:
    key: str
    size: int = 1
    mode: Literal["a-long-choice", "another-long-choice", "and-one-more-long-choice"] = "a-long-choice"
    sizes: tuple[int, ...] = ()
    either: int | str = 0

@frozen
class Empty:
    pass

@hookimpl
def mlo_providers():
    return [
        ProviderSpec(name="example", config=Options, open=opened, summary="answers nothing"),
        ProviderSpec(name="plain", config=Empty, open=opened),
    ]

@hookimpl
def mlo_doctor(context):
    return [Finding(level="info", message="all is well", where="here"), Finding(level="warning", message="old key")]
"""
)
ONLY = "example,plain,other,hello"


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed plugin with options and a check of its own; nothing else is allowed."""
    monkeypatch.setenv("MLO_PLUGINS_ALLOW", ONLY)
    return provider_dist(tmp_path, ids=["example", "plain"], source=PLUGIN)


def run(*argv: str, folders: tuple[Path, ...]) -> int:
    with installed(*folders):
        return main(["plugins", *argv])


def listed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_list_is_aligned_and_imports_nothing(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--kind", "providers", folders=(example,)) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["KIND", "ID", "DISTRIBUTION", "VERSION", "STATE", "REASON"]
    row = next(row for row in rows if " example " in row)
    assert row.index("mlo-example") == head.index("DISTRIBUTION")
    assert row.split()[-1] == "available"
    assert "mlo_example" not in sys.modules


def test_list_as_json(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--json", folders=(example,)) == 0
    rows = {row["id"]: row for row in listed(capsys)}
    assert rows["example"] == {
        "kind": "providers",
        "id": "example",
        "distribution": "mlo-example",
        "version": "1.0",
        "api": 1,
        "value": "mlo_example.plugin",
        "verdict": "available",
        "reason": "",
    }
    assert rows["first-available"]["verdict"] == "blocked"


def test_list_obeys_the_profile(example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "mlo.toml").write_text('[profiles.p.plugins]\ndeny = ["example"]\n')
    with installed(example):
        assert main(["--profile", "p", "plugins", "list"]) == 0
    assert "denied by 'example' in profiles.p.plugins.deny" in capsys.readouterr().out


def test_list_of_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    assert main(["plugins", "list"]) == 0
    assert capsys.readouterr().out == "no plugins are installed\n"


def test_show_tells_the_options(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "example", folders=(example,)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["providers:example  mlo-example 1.0  mlo_example.plugin", "  available", "  answers nothing"]
    options = {line.split()[0]: line.split()[1:] for line in lines[5:] if line.strip()}
    assert options["key"] == ["string", "required"]
    assert options["size"] == ["integer", "1"]
    assert options["mode"][:3] == ["choice", "a-long-choice", "a-long-choice"]
    assert options["sizes"] == ["list", "of", "integer"]
    assert options["either"] == ["integer", "|", "string", "0"]


def test_show_of_a_plugin_without_options(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "plain", folders=(example,)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  no options"


def test_show_as_json(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "example", "--json", folders=(example,)) == 0
    (shown,) = listed(capsys)
    assert shown["options"]["required"] == ["key"]
    assert shown["summary"] == "answers nothing"


def test_show_of_a_blocked_plugin_imports_nothing(
    example: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLO_PLUGINS_DENY", "example")
    assert run("show", "example", folders=(example,)) == 0
    assert "blocked: denied by 'example' in MLO_PLUGINS_DENY" in capsys.readouterr().out
    assert "mlo_example" not in sys.modules


def test_show_of_an_unknown_plugin(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "exampel", folders=(example,)) == 2
    assert "did you mean 'example'?" in capsys.readouterr().err


def test_show_of_a_command_and_of_one_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fake_dist(tmp_path / "d", entry_points={"commands": {"hello": "m:f"}, "observers": {"hello": "m"}})
    assert run("show", "hello", "--kind", "commands", folders=(folder,)) == 0
    assert capsys.readouterr().out == "commands:hello  mlo-example 1.0  m:f\n  available\n"


def test_show_of_a_broken_plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "example", folders=(provider_dist(tmp_path, source="1 / 0"),)) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_doctor_of_a_sound_plugin(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "example", folders=(example,)) == 0
    printed = capsys.readouterr().out
    assert "providers:example  mlo-example 1.0  loaded  " in printed
    assert "note: here: all is well\nwarning: old key\n\nerrors: 0, warnings: 1\n" in printed


def test_doctor_in_strict_mode_fails_on_warnings(example: Path) -> None:
    assert run("doctor", "example", "--strict", folders=(example,)) == 1


def test_doctor_shows_causes_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLO_PLUGINS_ALLOW", ONLY)
    assert run("doctor", folders=(provider_dist(tmp_path, source="1 / 0"),)) == 1
    printed = capsys.readouterr().out
    assert "\nproviders:example\n  file: " in printed
    assert "plugin.py\n  PluginLoadFailed: " in printed
    assert "\n    ZeroDivisionError: division by zero\n" in printed
    assert "(reinstall or upgrade mlo-example, or deny it: plugins.deny = ['providers:example'])" in printed


@pytest.mark.parametrize("timeout", ["0", "-1", "inf", "nan", "soon"])
@pytest.mark.parametrize("command", ["doctor", "conformance"])
def test_a_time_that_cannot_be_waited_for_is_a_mistake_of_usage(
    command: str, timeout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plugins", command, "mlo-mock", f"--timeout={timeout}"]) == 2
    assert f"'{timeout}' is not a number of seconds above zero" in capsys.readouterr().err


def test_doctor_checks_the_configuration_too(
    example: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "mlo.toml").write_text('[providers.a]\nuse = "example"\nsize = "x"\n')
    assert run("doctor", folders=(example,)) == 1
    printed = capsys.readouterr().out
    assert "error: providers.a.key: this key is required" in printed
    assert "error: providers.a.size: expected an integer, got text" in printed


def test_doctor_as_json(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "example", "--json", folders=(example,)) == 0
    report = listed(capsys)
    assert report["plugins"][0]["state"] == "loaded"
    assert report["plugins"][0]["import_seconds"] >= 0
    assert [finding["level"] for finding in report["findings"]] == ["info", "warning"]


def test_doctor_does_not_hang(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = provider_dist(tmp_path, source="import time\ntime.sleep(60)")
    assert run("doctor", "example", "--timeout", "0.5", folders=(folder,)) == 1
    assert "did not finish in 0.5 s" in capsys.readouterr().out


def test_doctor_without_any_plugin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    assert main(["plugins", "doctor"]) == 0
    assert "errors: 0" in capsys.readouterr().out


def test_hooks_are_listed(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("hooks", folders=(example,)) == 0
    printed = capsys.readouterr().out
    assert "mlo_providers() -> Iterable[ProviderSpec[Any]]\n" in printed
    assert "    - mlo_example.plugin\n" in printed
    assert "    - nobody implements it\n" in printed


def test_hooks_as_json(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("hooks", "--json", folders=(example,)) == 0
    hooks = {hook["signature"].partition("(")[0]: hook for hook in listed(capsys)}
    assert hooks["mlo_doctor"]["implementers"] == ["mlo_example.plugin"]


@pytest.mark.parametrize("argv", [[], ["lst"], ["list", "--kind", "provider"], ["show"]])
def test_usage_errors(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", *argv]) == 2
    assert capsys.readouterr().err.startswith("usage: mlo plugins")
