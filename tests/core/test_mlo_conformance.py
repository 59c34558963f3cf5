"""``mlo plugins conformance``: what ships conforms, and what does not conform is told so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mlo._cli.main import main
from mlo.testing import fake_dist, installed
from tests.core.samples import HEAD, provider
from tests.house.sources import members

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

_SHIPPED: Mapping[str, set[tuple[str, str]]] = {
    project["project"]["name"]: {
        (group.removeprefix("mlo.v1."), plugin)
        for group, plugins in project["project"].get("entry-points", {}).items()
        if group.startswith("mlo.v1.")
        for plugin in plugins
    }
    for project in members().values()
}
_WITH_PLUGINS = sorted(name for name, plugins in _SHIPPED.items() if plugins)


def _report(name: str) -> dict[str, Any]:
    command = (Path(sys.executable).parent / "mlo", "plugins", "conformance", name, "--json")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"verdict": done.stderr}
    return {**report, "exit": done.returncode}


@pytest.fixture(scope="module")
def shipped() -> Iterator[dict[str, dict[str, Any]]]:
    """The reports of all distributions of this repository, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield dict(zip(_WITH_PLUGINS, pool.map(_report, _WITH_PLUGINS), strict=True))


@pytest.mark.parametrize("name", _WITH_PLUGINS)
def test_what_ships_conforms(shipped: dict[str, dict[str, Any]], name: str) -> None:
    report = shipped[name]
    assert (report["verdict"], report["exit"]) == ("conforms", 0)
    assert {(plugin["kind"], plugin["id"]) for plugin in report["plugins"]} == _SHIPPED[name]
    assert {plugin["verdict"] for plugin in report["plugins"]} == {"conforms"}


def test_no_check_is_missing_without_a_reason(shipped: dict[str, dict[str, Any]]) -> None:
    checks = [check for report in shipped.values() for plugin in report["plugins"] for check in plugin["checks"]]
    assert {check["state"] for check in checks} == {"passed", "off"}
    assert [check for check in checks if check["state"] == "off" and not check["reason"].startswith("needs ")] == []


STUBBORN = (
    HEAD
    + """
class Stubborn:
    def route(self, request, targets):
        while True:
            yield __import__("mlo.routing").routing.Step((targets[0],))

@hookimpl
def mlo_strategies():
    return [StrategySpec(name="stubborn", config=Config, build=lambda config: Stubborn(), summary="always the first")]
"""
)
SUITE = """
import pytest
from mlo.api import StrategySpec
from mlo_sdk.testing import StrategyContract, offered

class TestStubborn(StrategyContract):
    spec = offered(StrategySpec, "stubborn")

    async def test_it_ends_when_all_fail(self):
        pytest.skip("it never does")
"""


def conformance(*arguments: str, folder: Path) -> int:
    with installed(folder):
        return main(["plugins", "conformance", "mlo-example", *arguments])


SOUND = STUBBORN.replace("while True:", "for target in targets:").replace("targets[0]", "target")


def strategy(folder: Path, source: str = STUBBORN, **modules: str) -> Path:
    suites = {"mlo_conformance": {"mlo-example": "mlo_example.conformance"}} if modules else {}
    return fake_dist(
        folder / "site",
        entry_points={"strategies": {"stubborn": "mlo_example.plugin"}, **suites},
        modules={"mlo_example.plugin": source, **{f"mlo_example.{name}": text for name, text in modules.items()}},
    )


def checks_of(printed: str) -> dict[str, dict[str, str]]:
    (plugin,) = json.loads(printed)["plugins"]
    return {check["name"]: check for check in plugin["checks"]}


def test_a_broken_contract_is_told_with_its_reason(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conformance(folder=strategy(tmp_path)) == 1
    printed = capsys.readouterr().out
    assert "strategies:stubborn\n  breaks the contract: " in printed
    assert "    - it ends when all fail\n" in printed
    assert printed.endswith("mlo-example 1.0: breaks the contract\n")


def test_the_report_speaks_russian(
    tmp_path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLO_LANG", "ru")
    assert conformance(folder=strategy(tmp_path)) == 1
    assert "нарушает контракт" in capsys.readouterr().out


def test_a_check_that_a_suite_skips_is_not_run(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conformance("--json", folder=strategy(tmp_path, conformance=SUITE))
    check = checks_of(capsys.readouterr().out)["test_it_ends_when_all_fail"]
    assert check["state"] == "not run"
    assert "it never does" in check["reason"]


def test_a_suite_that_cannot_be_imported_is_noted(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conformance("--json", folder=strategy(tmp_path, SOUND, conformance="import mlo_nowhere\n")) == 1
    report = json.loads(capsys.readouterr().out)
    assert "mlo_nowhere" in " ".join(report["notes"])
    assert (report["verdict"], report["plugins"][0]["verdict"]) == ("unproven", "conforms")


def test_without_a_suite_a_provider_is_unproven(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = provider("example").replace("open=opened", 'open=opened, summary="says yes"')
    folder = fake_dist(
        tmp_path / "site",
        entry_points={"providers": {"example": "mlo_example.plugin"}},
        modules={"mlo_example.plugin": source},
    )
    assert conformance("--json", folder=folder) == 1
    printed = capsys.readouterr().out
    assert json.loads(printed)["verdict"] == "unproven"
    checks = checks_of(printed)
    assert checks["test_the_spec_is_consistent"]["state"] == "passed"
    assert checks["test_an_answer_is_whole"]["state"] == "not run"
    assert "no suite says how to open it" in checks["test_an_answer_is_whole"]["reason"]


def test_a_plugin_that_cannot_be_loaded_is_unproven_and_noted(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fake_dist(
        tmp_path / "site", entry_points={"providers": {"example": "mlo_example"}}, modules={"mlo_example": "1 / 0"}
    )
    assert conformance(folder=folder) == 1
    printed = capsys.readouterr().out
    assert "ZeroDivisionError" in printed
    assert printed.endswith("mlo-example 1.0: unproven\n")


def test_a_blocked_plugin_is_not_imported(
    tmp_path: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLO_PLUGINS_DENY", "stubborn")
    assert conformance(folder=strategy(tmp_path)) == 1
    assert "denied by 'stubborn' in MLO_PLUGINS_DENY" in capsys.readouterr().err


def test_an_unknown_distribution_is_refused(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "conformance", "mlo-mokc"]) == 2
    assert "did you mean 'mlo-mock'" in capsys.readouterr().err


def test_a_run_that_takes_too_long_is_ended(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = strategy(tmp_path, conformance="import time\ntime.sleep(60)\n")
    assert conformance("--timeout", "2", folder=folder) == 1
    assert "did not finish in 2 s" in capsys.readouterr().err


def test_a_run_without_a_report_shows_its_last_words(
    tmp_path: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conformance(folder=strategy(tmp_path, conformance="import os\nos._exit(7)\n")) == 1
    assert "ended without a report (exit code 7)" in capsys.readouterr().err


def test_without_the_kit_it_says_how_to_install_it(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mlo._cli.conformance.find_spec", lambda name: None if name == "pytest" else name)
    assert main(["plugins", "conformance", "mlo-mock"]) == 1
    assert "pip install 'mlo-sdk[testing]'" in capsys.readouterr().err
