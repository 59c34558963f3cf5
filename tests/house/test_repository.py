"""Nothing in the repository ties it to one network, one machine or one installation order."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT, members, name_of, projects, tracked_files

# character classes keep the patterns from matching themselves
_HOSTS = re.compile(
    r"py[p]i\.org|python[h]osted\.org|registry\.npm[j]s|registry\.y[a]rnpkg|deb\.deb[i]an\.org"
    r"|archive\.ubun[t]u|regis[t]ry-1\.docker|hub\.do[c]ker|gh[c]r\.io|qu[a]y\.io|an[a]conda\.org"
)
_MACHINE_PATHS = re.compile(r"/wo[r]k/|/ro[o]t/|/ho[m]e/[a-z]|/U[s]ers/|/tmp/br[i]ef")
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE [K]EY-----(?:\\[nr]|\s)*[A-Za-z0-9+/]{40}"
    r"|\b[s]k-[A-Za-z0-9]{32,}|\bg[h]p_[A-Za-z0-9]{30,}|\bA[Q]VN[A-Za-z0-9_-]{30,}"
)


def _hits(pattern: re.Pattern[str]) -> list[str]:
    hits = []
    for path in tracked_files():
        text = path.read_bytes().decode(errors="replace")
        places = ((text.count("\n", 0, match.start()) + 1, match[0]) for match in pattern.finditer(text))
        hits += [f"{name_of(path)}:{line}: {found[:80]}" for line, found in places]
    return hits


@pytest.mark.parametrize("pattern", [_HOSTS, _MACHINE_PATHS, _SECRETS], ids=["registry-host", "machine-path", "secret"])
def test_no_file_contains(pattern: re.Pattern[str]) -> None:
    assert _hits(pattern) == []


def test_uv_lock_stays_out() -> None:
    assert "uv.lock" not in {path.name for path in tracked_files()}


def test_every_distribution_has_the_same_version() -> None:
    assert len({project["project"]["version"] for project in projects().values()}) == 1


def test_every_distribution_has_the_licence_and_types() -> None:
    licence = (ROOT / "LICENSE").read_bytes()
    for folder in projects():
        (marker,) = (folder / "src").glob("*/py.typed")
        assert marker.read_bytes() == b""
        assert (folder / "LICENSE").read_bytes() == licence
    assert (ROOT / "LICENSES" / "Apache-2.0.txt").read_bytes() == licence


def _requirements(project: dict[str, object]) -> list[str]:
    table = project["project"]
    assert isinstance(table, dict)
    extras = table.get("optional-dependencies", {})
    return [*table["dependencies"], *(requirement for extra in extras.values() for requirement in extra)]


def test_siblings_are_required_by_ranges() -> None:
    for folder, project in projects().items():
        siblings = [line for line in _requirements(project) if line.startswith("mlo-")]
        for line in siblings:
            assert re.fullmatch(r"mlo-[a-z-]+(\[[a-z,-]+\])?>=\d+\.\d+,<\d+\.\d+", line), f"{name_of(folder)}: {line}"


def test_every_requirement_has_a_floor() -> None:
    for folder, project in members().items():
        for line in _requirements(project):
            assert ">=" in line, f"{name_of(folder)}: {line}"


def test_umbrella_can_install_every_distribution() -> None:
    names = {project["project"]["name"] for project in members().values()}
    offered = {re.split(r"[\[>]", line)[0] for line in _requirements(projects()[ROOT])}
    assert offered - {"multi-llm-orchestrator"} == names


def test_tools_know_every_distribution() -> None:
    root = projects()[ROOT]
    names = {project["project"]["name"] for project in projects().values()}
    assert set(root["tool"]["uv"]["sources"]) == names
    paths = {path.removeprefix("$MYPY_CONFIG_FILE_DIR/") for path in root["tool"]["mypy"]["mypy_path"]}
    assert paths - {"scripts"} == {name_of(folder / "src") for folder in projects()}


def test_launcher_asks_for_the_uv_that_the_project_requires() -> None:
    required = projects()[ROOT]["tool"]["uv"]["required-version"]
    loader = importlib.machinery.SourceFileLoader("dev", str(ROOT / "dev"))
    spec = importlib.util.spec_from_loader("dev", loader)
    assert spec is not None
    launcher = importlib.util.module_from_spec(spec)
    loader.exec_module(launcher)
    assert f"uv{required}" == launcher.UV_REQUIREMENT
    assert f">={launcher.UV_SERIES.removeprefix('uv ').rstrip('.')}," in required


def test_no_test_module_hides_another() -> None:
    names = [path.name for path in tracked_files() if path.match("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_every_link_in_the_read_me_leads_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", (ROOT / "README.md").read_text())
    assert [target for target in targets if not (ROOT / Path(target)).exists()] == []
