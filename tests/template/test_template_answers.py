"""Answers that cannot work are refused at the question, with a reason."""

from __future__ import annotations

import keyword
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.house.sources import ROOT, projects
from tests.template.rendering import KINDS, files_below, render, template_copy

pytestmark = pytest.mark.timeout(60)

REFUSED = {
    "capital-letter": ({"plugin_id": "Acme"}, "lower-case letters"),
    "two-hyphens": ({"plugin_id": "acme--chat"}, "lower-case letters"),
    "in-russian": ({"plugin_id": "Acme", "language": "ru"}, "строчные латинские буквы"),
    "own-command": ({"plugin_id": "plugins", "kind": "command"}, "mlo has this subcommand itself"),
    "reserved-target": ({"plugin_id": "route"}, "the word route is taken"),
    "reserved-name": ({"plugin_id": "acme", "distribution": "mlo-acme"}, "but not with mlo-"),
    "hides-a-module": ({"plugin_id": "acme", "distribution": "json"}, "has that name already"),
    "keyword": ({"plugin_id": "acme", "distribution": "class"}, "a word of Python"),
    "empty-summary": ({"plugin_id": "acme", "summary": " "}, "one line of 1 to 80 characters"),
    "quoted-summary": ({"plugin_id": "acme", "summary": 'an "own" wire'}, "without double quotes"),
    "two-lines-of-summary": ({"plugin_id": "acme", "summary": "one\ntwo"}, "one line of 1 to 80 characters"),
    "two-lines-of-author": ({"plugin_id": "acme", "author": "A.\nB."}, "without quotes"),
    "a-line-end": ({"plugin_id": "acme\n", "distribution": "acme-for-mlo"}, "'plugin_id': lower-case letters"),
    "hidden-by-python": ({"plugin_id": "acme", "distribution": "dataclasses"}, "has that name already"),
    "quoted-author": ({"plugin_id": "acme", "author": 'A. "B" C.'}, "without quotes"),
    "unknown-licence": ({"plugin_id": "acme", "licence": "WTFPL"}, "licence"),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_copy(tmp_path_factory.mktemp("template"))


def test_answers_that_cannot_work_are_refused_with_a_reason(template: Path, tmp_path: Path) -> None:
    said = render(template, {tmp_path / name: answers for name, (answers, _) in REFUSED.items()})
    assert [name for name, (_, reason) in REFUSED.items() if reason not in said] == []
    assert list(tmp_path.iterdir()) == []


def test_no_name_that_python_takes_is_accepted() -> None:
    asked = (ROOT / "copier.yml").read_text()
    taken = {name.replace("_", "-") for name in (*sys.stdlib_module_names, *keyword.kwlist) if name.islower()}
    listed = asked[asked.index("distribution in '") : asked.index("'.split()")].split()
    assert sorted(name for name in taken - set(listed) if name[0].isalpha()) == []


@pytest.fixture(scope="module")
def rendered(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rendered")
    mock = {"kind": "provider", "wire": "none", "plugin_id": "mock", "distribution": "mock-for-mlo"}
    jobs = {folder / name: answers for name, answers in (*KINDS.items(), ("mock", mock))}
    assert render(template, jobs) == ""
    return {path.name: path for path in jobs}


def test_every_kind_has_what_a_project_needs(rendered: dict[str, Path]) -> None:
    whole = {
        ".copier-answers.yml",
        ".github/workflows/release.yml",
        ".github/workflows/test.yml",
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "example/mlo.toml",
        "pyproject.toml",
        "tests/conftest.py",
        "tests/test_contract.py",
        "tests/test_example.py",
    }
    assert {name: whole - files_below(folder) for name, folder in rendered.items() if whole - files_below(folder)} == {}


def test_the_read_me_speaks_the_language_of_the_answers(rendered: dict[str, Path]) -> None:
    def is_russian(name: str) -> bool:
        return bool(re.search("[а-я]", (rendered[name] / "README.md").read_text()))

    assert {name: is_russian(name) for name in KINDS} == {
        name: answers.get("language") == "ru" for name, answers in KINDS.items()
    }


def test_no_braces_are_left(rendered: dict[str, Path]) -> None:
    left = [
        f"{name}/{file}"
        for name, folder in rendered.items()
        for file in files_below(folder)
        if re.search(r"\{%|(?<!\$)\{\{ ", (folder / file).read_text())
    ]
    assert left == []


# What only the mock has: faults to order, and answers that fit a schema.
_MOCKS_OWN = {"faults.py", "schema_values.py"}
# What this repository has once for all of its plugins, and a project of its own needs for itself.
_ONCE = (".", "tests/", "example/", "CHANGELOG.md")


def test_the_answers_of_the_mock_reproduce_its_files(rendered: dict[str, Path]) -> None:
    ours = {
        name.replace("mlo_mock", "mock_for_mlo")
        for name in files_below(ROOT / "plugins" / "mock")
        if "__pycache__" not in name
    }
    made = {name for name in files_below(rendered["mock"]) if not name.startswith(_ONCE)}
    assert ours - {f"src/mock_for_mlo/{name}" for name in _MOCKS_OWN} == made


def test_the_answers_of_the_mock_reproduce_its_entry_points(rendered: dict[str, Path]) -> None:
    ours = (ROOT / "plugins" / "mock" / "pyproject.toml").read_text()
    named = ours.replace("mlo-mock", "mock-for-mlo").replace("mlo_mock", "mock_for_mlo")
    made = tomllib.loads((rendered["mock"] / "pyproject.toml").read_text())["project"]
    assert made["entry-points"] == tomllib.loads(named)["project"]["entry-points"]


def _pins(requirements: list[str]) -> dict[str, str]:
    pairs = (line.partition(" ;")[0].partition("==") for line in requirements)
    return {name: version for name, _, version in pairs if version}


def test_tools_are_pinned_to_what_this_repository_is_tested_with(rendered: dict[str, Path]) -> None:
    root: dict[str, Any] = projects()[ROOT]
    ours = _pins(root["tool"]["uv"]["constraint-dependencies"])
    made = tomllib.loads((rendered["own-wire"] / "pyproject.toml").read_text())
    pins = _pins(made["dependency-groups"]["dev"])
    assert set(pins) == {"mypy", "pytest", "ruff"}
    assert pins == {name: ours[name] for name in pins}
    assert made["build-system"] == root["build-system"]
