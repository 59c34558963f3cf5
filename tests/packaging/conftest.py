"""Built wheels, and virtual environments that hold some of them and nothing else of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

_ROOT = Path(__file__).resolve().parents[2]


def _uv() -> str:
    """The launcher's uv, or one on PATH."""
    found = os.environ.get("UV") or shutil.which(str(_ROOT / ".dev" / "uv" / "bin" / "uv")) or shutil.which("uv")
    assert found, "uv is missing; ./dev sync installs it"
    return found


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLO_", "PYTHON", "COVERAGE_"))}
    clean |= {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_NO_CONFIG": "1", **environment}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@frozen
class Installation:
    """A virtual environment with wheels of ours in it, and an empty folder to work in."""

    folder: Path

    def run(self, command: str, *arguments: str, **environment: str) -> str:
        """Standard output of a command of this environment; fails the test if its exit code is not 0."""
        return self.run_in(self.folder, command, *arguments, **environment)

    def run_in(self, folder: Path, command: str, *arguments: str, **environment: str) -> str:
        """The same in another folder."""
        return _run(self.folder / "bin" / command, *arguments, cwd=folder, **environment)

    def plugins(self, **environment: str) -> list[dict[str, Any]]:
        """What `mlo plugins list` finds, without importing it."""
        listing: list[dict[str, Any]] = json.loads(self.run("mlo", "plugins", "list", "--json", **environment))
        return listing


Install = Callable[..., Installation]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source archive of every distribution and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    _run(_uv(), "build", "-q", "--all-packages", "--out-dir", folder, cwd=_ROOT)
    return folder


@pytest.fixture(scope="session")
def install(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Makes an installation of the named distributions and of what they require."""

    def make(*names: str) -> Installation:
        folder = tmp_path_factory.mktemp("venv")
        _run(_uv(), "venv", "-q", "--clear", "--python", sys.executable, folder, cwd=folder)
        # uv keeps wheels by name and version, and ours change under the same version
        fresh = [f"--refresh-package={path.name.split('-')[0]}" for path in wheels.glob("*.whl")]
        wanted: tuple[str | Path, ...] = (*fresh, "--find-links", wheels, "-c", _ROOT / "requirements.lock", *names)
        _run(_uv(), "pip", "install", "-q", "--python", folder / "bin" / "python", *wanted, cwd=folder)
        return Installation(folder)

    return make
