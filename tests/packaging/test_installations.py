"""The kernel with exactly one further distribution, from wheels: it brings what it needs, and nothing else appears."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from tests.house.sources import members
from tests.packaging.conftest import Install

pytestmark = pytest.mark.timeout(120)
_PROJECTS: dict[str, dict[str, Any]] = {project["project"]["name"]: project for project in members().values()}
_PLUGINS = sorted(set(_PROJECTS) - {"mlo-core"})

# every module but those that need an extra, so that one which needs something undeclared is found
_IMPORT_ALL = """
import importlib, pkgutil, re, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not re.search("[.](aiohttp_transport|conformance|harness|testing)", module.name):  # harness: alembic runs it
        importlib.import_module(module.name)
"""
_ROUTE = """
import sys
from mlo import BlockingRouter
with BlockingRouter() as router:
    router.add_provider("mock", answer="из колеса")
    print(router.route("Привет").text)
    with router.route_stream("Привет") as stream:
        print(*(type(event).__name__ for event in stream))
        print(stream.response().text)
"""


@cache
def _with_requirements(name: str) -> frozenset[str]:
    """A distribution of ours and all of ours that it requires."""
    names = {name}
    for line in _PROJECTS[name]["project"]["dependencies"]:
        if line.startswith("mlo-"):
            names |= _with_requirements(re.split(r"[\[>]", line)[0])
    return frozenset(names)


def _declared(name: str) -> set[tuple[str, str, str]]:
    """Kind, id and distribution of every entry point that an installation of the distribution has."""
    return {
        (group.removeprefix("mlo.v1."), plugin, dist)
        for dist in _with_requirements(name)
        for group, plugins in _PROJECTS[dist]["project"].get("entry-points", {}).items()
        if group.startswith("mlo.v1.")
        for plugin in plugins
    }


def _package(name: str) -> str:
    return "mlo" if name == "mlo-core" else name.replace("-", "_")


@pytest.mark.parametrize("name", sorted(_PROJECTS))
def test_one_distribution_is_enough(install: Install, name: str) -> None:
    installation = install("mlo-core", name)
    listed = {(row["kind"], row["id"], row["distribution"]) for row in installation.plugins()}
    assert listed == _declared(name)
    assert {row["verdict"] for row in installation.plugins()} == {"available"}
    installation.run("python", "-W", "error", "-c", _IMPORT_ALL, _package(name))


def test_a_call_is_routed(install: Install) -> None:
    whole, events, streamed = install("mlo-core", "mlo-mock").run("python", "-c", _ROUTE).splitlines()
    assert whole == streamed == "из колеса"
    assert events.split()[0] == "Started"
    assert events.split()[-1] == "Finished"


def test_the_umbrella_answers_a_question(install: Install) -> None:
    installation = install("multi-llm-orchestrator")
    assert "Привет" in installation.run("mlo", "ask", "Привет", MLO_LANG="ru")


def test_the_umbrella_with_everything_is_sound(install: Install) -> None:
    installation = install("multi-llm-orchestrator[all]")
    offering = {name for name, project in _PROJECTS.items() if project["project"].get("entry-points")}
    assert {row["distribution"] for row in installation.plugins()} == offering
    installation.run("mlo", "plugins", "doctor", "--strict")
