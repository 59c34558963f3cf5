"""Broken plugins, all installed at once: each is diagnosed by name, and none is in the way of anybody else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlo import BlockingRouter
from mlo._cli.main import main
from mlo.errors import PluginError
from mlo.settings import PluginPolicy, Settings
from mlo.testing import installed
from tests.core.broken_plugins import BROKEN, install_all

_ALL = ",".join([*BROKEN, "twin", "mock", "first-available"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where they are; they stay installed for all tests of this module."""
    place = tmp_path_factory.mktemp("broken")
    with installed(*install_all(place)):
        yield place


@pytest.fixture(scope="module")
def report(folder: Path) -> Iterator[dict[str, Any]]:
    """What the doctor says with all of them around."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLO_PLUGINS_ALLOW", _ALL)
        printed: list[str] = []
        patch.setattr("mlo._cli.output.say", printed.append)
        main(["plugins", "doctor", "--timeout", "2", "--json"])
        yield json.loads(printed[0])


def _findings(report: dict[str, Any], name: str) -> list[dict[str, str]]:
    return [finding for finding in report["findings"] if f"broken-{name}" in finding["where"]]


def test_list_shows_all_of_them_and_imports_none(
    folder: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "imported").unlink(missing_ok=True)
    assert main(["plugins", "list", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert {*BROKEN, "twin"} <= set(rows)
    assert rows["next-api"]["verdict"] == "incompatible"
    assert rows["twin"]["verdict"] == "conflict"
    assert not (folder / "imported").exists()
    assert [name for name in sys.modules if name.startswith("broken_")] == []


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_the_doctor_names_distribution_version_and_cause(report: dict[str, Any], name: str) -> None:
    findings = _findings(report, name)
    assert [finding for finding in findings if "1.0" in finding["where"]]
    assert BROKEN[name].said in " ".join(finding["message"] for finding in findings)


@pytest.mark.parametrize("name", sorted(name for name, broken in BROKEN.items() if broken.group == "providers"))
def test_the_doctor_names_the_module_and_its_file(report: dict[str, Any], folder: Path, name: str) -> None:
    (plugin,) = [plugin for plugin in report["plugins"] if plugin["id"] == name]
    assert plugin["value"] == f"broken_{name.replace('-', '_')}.plugin"
    assert plugin["file"] == str(folder / name / f"broken_{name.replace('-', '_')}" / "plugin.py")


def test_the_doctor_finds_who_fights_over_an_id(report: dict[str, Any]) -> None:
    conflicts = [finding for finding in report["findings"] if finding["where"].startswith("providers:twin")]
    assert len(conflicts) == 2
    assert all("broken-twin-one 1.0, broken-twin-two 1.0" in finding["message"] for finding in conflicts)


def test_sound_plugins_are_loaded_beside_them(report: dict[str, Any]) -> None:
    states = {plugin["id"]: plugin["state"] for plugin in report["plugins"]}
    assert states["mock"] == states["first-available"] == "loaded"
    assert {name for name, broken in BROKEN.items() if broken.fails} & {
        name for name, state in states.items() if state == "loaded"
    } == set()


def test_a_router_answers_with_all_of_them_around(folder: Path) -> None:
    with BlockingRouter() as router:
        router.add_provider("mock", answer="still here")
        assert router.route("Hi").text == "still here"


def test_a_strict_router_names_the_broken_ones_it_was_allowed(folder: Path) -> None:
    allowed = ("exits", "missing-import", "missing-spec", "mock", "first-available", "next-api", "twin")
    with pytest.raises(PluginError) as caught:
        with BlockingRouter(Settings(plugins=PluginPolicy(allow=allowed, strict=True))):
            pass
    text = str(caught.value)
    sound = ["mock", "first-available"]
    assert [name for name in allowed if f"broken-{name}" not in text] == sound
    assert {str(error.plugin_id) for error in _group(caught.value)} == {"exits", "missing-import", "missing-spec"}


def _group(error: PluginError) -> list[PluginError]:
    """The errors of single plugins behind the refusal."""
    cause = error.__cause__
    assert isinstance(cause, ExceptionGroup)
    return [each for each in cause.exceptions if isinstance(each, PluginError)]
