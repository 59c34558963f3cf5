"""What the house rules are checked on: the files and the distributions of this repository."""

from __future__ import annotations

import ast
import functools
import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Every committed or stageable file, without symbolic links."""
    command = ("git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in sorted(listing.split("\0")) if name)
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())


@functools.cache
def projects() -> dict[Path, dict[str, Any]]:
    """The parsed pyproject.toml of every distribution by its folder; the umbrella comes first."""
    files = [
        ROOT / "pyproject.toml",
        *sorted(ROOT.glob("*/pyproject.toml")),
        *sorted(ROOT.glob("plugins/*/pyproject.toml")),
    ]
    return {file.parent: tomllib.loads(file.read_text()) for file in files}


def members() -> dict[Path, dict[str, Any]]:
    """Every distribution but the umbrella."""
    return {folder: project for folder, project in projects().items() if folder != ROOT}


@functools.cache
def sources() -> dict[Path, ast.Module]:
    """The syntax tree of every module that is shipped."""
    files = sorted(file for folder in projects() for file in (folder / "src").rglob("*.py"))
    return {file: ast.parse(file.read_text(), str(file)) for file in files}


def name_of(path: Path) -> str:
    """The path as a reader of the report knows it."""
    return str(path.relative_to(ROOT))


def plugin_packages() -> set[str]:
    """Import names of every distribution but the kernel and the umbrella."""
    return {path.name for folder in members() for path in (folder / "src").iterdir() if path.name != "mlo"}
