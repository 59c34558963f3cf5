"""What a process loads: names in `sys.modules`, which do not depend on how fast the machine is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import plugin_packages

_REPORT = "\nprint('LOADED', *sorted(sys.modules))"
_RUN_CLI = """
import contextlib, sys
from mlo._cli.main import main
sys.argv = ["mlo", *sys.argv[1:]]
with contextlib.suppress(SystemExit):
    sys.exit(main())
"""


def _loaded(program: str, folder: Path, *arguments: str) -> set[str]:
    """Top-level names that a fresh interpreter has loaded at the end of a program."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLO_", "COV"))}
    command = (sys.executable, "-c", program + _REPORT, *arguments)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_kernel_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = {
        "anyio",
        "asyncio",
        "attr",
        "attrs",
        "cattrs",
        "httpx",
        "importlib.metadata",
        "importlib_metadata",
        "pluggy",
    }
    assert _loaded("import mlo, sys", tmp_path) & heavy == set()


def test_using_a_value_loads_no_event_loop(tmp_path: Path) -> None:
    loaded = _loaded("import mlo, sys; mlo.Message", tmp_path)
    assert loaded & {"anyio", "asyncio", "cattrs", "httpx", "importlib_metadata", "pluggy"} == set()


@pytest.mark.parametrize(
    "arguments", [("--help",), ("plugins", "list"), ("plugins", "list", "--json")], ids=["help", "list", "list-json"]
)
def test_overview_commands_import_no_plugin(arguments: tuple[str, ...], tmp_path: Path) -> None:
    loaded = _loaded(_RUN_CLI, tmp_path, *arguments)
    assert {name.partition(".")[0] for name in loaded} & plugin_packages() == set()
    assert loaded & {"click", "httpx", "rich"} == set()
