"""The plugin template, as somebody outside this repository uses it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.packaging.conftest import Install, Installation

pytestmark = pytest.mark.timeout(180)
_BIN = Path(sys.executable).parent


def _render(folder: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    """Render from a copy outside git: what is being edited counts, not what is committed."""
    template = folder / "template"
    shutil.copytree(ROOT / "plugin-template", template / "plugin-template")
    shutil.copy(ROOT / "copier.yml", template)
    data = [f"--data={name}={value}" for name, value in answers.items()]
    command: tuple[str | Path, ...] = (
        _BIN / "copier",
        "copy",
        "--quiet",
        "--defaults",
        *data,
        template,
        folder / "plugin",
    )
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    done = _render(folder, plugin_id="acme-chat")
    assert done.returncode == 0, done.stderr
    return folder / "plugin"


@pytest.fixture(scope="module")
def installation(install: Install, plugin: Path) -> Installation:
    return install("mlo-core", "mlo-sdk[testing]", str(plugin), "anyio[trio]", "mypy", "pytest")


def test_rendered_plugin_is_found_under_its_id(installation: Installation) -> None:
    rows = {row["id"]: row for row in installation.plugins() if row["kind"] == "providers"}
    assert rows["acme-chat"]["distribution"] == "acme-chat-for-mlo"
    installation.run("mlo", "plugins", "doctor", "--strict")


def test_rendered_plugin_keeps_the_contract(installation: Installation, plugin: Path) -> None:
    report = installation.run_in(plugin, "python", "-m", "pytest", "-q")
    assert " passed" in report.splitlines()[-1]


def test_rendered_plugin_is_typed(installation: Installation, plugin: Path) -> None:
    assert "Success" in installation.run_in(plugin, "mypy")


def test_rendered_plugin_is_formatted_and_lints(plugin: Path) -> None:
    for command in (("check",), ("format", "--check")):
        done = subprocess.run((_BIN / "ruff", *command, "."), cwd=plugin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "answers",
    [{"plugin_id": "Acme"}, {"plugin_id": "acme", "distribution": "mlo-acme"}],
    ids=["capital-letter", "reserved-name"],
)
def test_wrong_answers_are_refused(answers: dict[str, str], tmp_path: Path) -> None:
    done = _render(tmp_path, **answers)
    assert done.returncode != 0
    assert "lower-case letters" in done.stderr
    assert not (tmp_path / "plugin").exists()
