"""Every kind of plugin, rendered outside the repository and installed from wheels: whole from the first minute."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.conftest import Install, Installation, _run, _uv
from tests.template.rendering import KINDS, render, template_copy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

_BIN = Path(sys.executable).parent
_PARTS = ("mlo-core", "mlo-sdk[testing]", "mlo-cli", "mlo-mock", "mlo-openai-compat")
_TOOLS = ("anyio[trio]", "mypy", "pytest")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("projects")
    jobs = {folder / name: answers for name, answers in KINDS.items()}
    assert render(template_copy(tmp_path_factory.mktemp("template")), jobs) == ""
    return {path.name: path for path in jobs}


@pytest.fixture(scope="module")
def built(rendered: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of every kind, made from its source archive."""
    wheels = {}
    for name, project in rendered.items():
        folder = tmp_path_factory.mktemp(name)
        _run(_uv(), "build", "-q", "--out-dir", folder, cwd=project)
        (wheels[name],) = folder.glob("*.whl")
    return wheels


@pytest.fixture(scope="module")
def installation(install: Install, built: dict[str, Path]) -> Installation:
    return install(*_PARTS, *_TOOLS, *map(str, built.values()))


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def distribution(kind: str) -> str:
    return f"{KINDS[kind]['plugin_id']}-for-mlo"


def package(kind: str) -> str:
    return distribution(kind).replace("-", "_")


def test_its_tests_pass(installation: Installation, rendered: dict[str, Path], kind: str) -> None:
    # the installed wheel is under test, not the sources beside the tests
    report = installation.run_in(rendered[kind], "python", "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert re.fullmatch(r"\d+ passed in .*", report.splitlines()[-1])


def test_it_is_typed(installation: Installation, rendered: dict[str, Path], kind: str) -> None:
    cache = f"--cache-dir={installation.folder / 'mypy'}"
    assert "Success" in installation.run_in(rendered[kind], "mypy", "--strict", cache)


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=["lint", "format"])
def test_ruff_has_nothing_to_say(rendered: dict[str, Path], command: tuple[str, ...]) -> None:
    for project in rendered.values():
        done = subprocess.run((_BIN / "ruff", *command, "."), cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_workflows_are_valid_and_safe(rendered: dict[str, Path]) -> None:
    workflows = sorted((rendered["own-wire"] / ".github" / "workflows").iterdir())
    schema: tuple[str | Path, ...] = (
        _BIN / "check-jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
        *workflows,
    )
    safety: tuple[str | Path, ...] = (_BIN / "zizmor", "--offline", "--quiet", "--no-progress", *workflows)
    for command in (schema, safety):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_wheel_has_types_and_a_licence(built: dict[str, Path], kind: str) -> None:
    names = ZipFile(built[kind]).namelist()
    assert f"{package(kind)}/py.typed" in names
    assert [name for name in names if name.endswith("licenses/LICENSE")]


def test_all_are_found_and_sound(installation: Installation) -> None:
    rows = {row["distribution"]: row for row in installation.plugins()}
    assert [rows[distribution(kind)]["verdict"] for kind in KINDS] == ["available"] * len(KINDS)
    installation.run("mlo", "plugins", "doctor", "--strict", *(answers["plugin_id"] for answers in KINDS.values()))


def test_it_conforms(installation: Installation, kind: str) -> None:
    report = json.loads(installation.run("mlo", "plugins", "conformance", distribution(kind), "--json"))
    assert report["verdict"] == "conforms"
    assert report["suites"] == [f"{package(kind)}.conformance"]


@contextmanager
def emulated(installation: Installation, kind: str) -> Iterator[dict[str, str]]:
    """The stand-in server, started the way the read-me says, and the variables of the example configuration."""
    command = (installation.folder / "bin" / "python", "-m", f"{package(kind)}.emulator", "--port", "0")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE_"))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        prefix = KINDS[kind]["plugin_id"].upper().replace("-", "_")
        names = {"URL": url, "KEY": "made-up", "API": f"{url}/v1", "TOKENS": f"{url}/token"}
        try:
            yield {f"{prefix}_{name}": value for name, value in names.items()}
        finally:
            process.terminate()


def ask(installation: Installation, project: Path, **environment: str) -> str:
    config = str(project / "example" / "mlo.toml")
    return installation.run("mlo", "--config", config, "ask", "Привет", **environment).strip()


@pytest.mark.parametrize("kind", ["own-wire", "openai-wire", "auth"])
def test_mlo_ask_reaches_its_server(installation: Installation, rendered: dict[str, Path], kind: str) -> None:
    with emulated(installation, kind) as variables:
        assert ask(installation, rendered[kind], **variables) == "Echo: Привет"


@pytest.mark.parametrize(("kind", "answer"), [("no-server", "Echo: Привет"), ("strategy", "near")])
def test_mlo_ask_goes_through_it(installation: Installation, rendered: dict[str, Path], kind: str, answer: str) -> None:
    assert ask(installation, rendered[kind]) == answer


def test_mlo_ask_is_watched_by_the_observer(installation: Installation, rendered: dict[str, Path]) -> None:
    ask(installation, rendered["observer"])
    assert json.loads((installation.folder / "calls.json").read_text()) == {"main ok": 1}


def test_mlo_has_the_command(installation: Installation, rendered: dict[str, Path]) -> None:
    config = str(rendered["command"] / "example" / "mlo.toml")
    assert installation.run("mlo", "--config", config, "words", "Привет") == "two words\n2 words\n"
    assert "words  words-for-mlo 0.1.0" in re.sub(" +", "  ", installation.run("mlo", "--help")).replace("  0", " 0")
