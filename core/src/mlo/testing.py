"""For tests of plugins and of the kernel: distributions that are installed for the length of a ``with`` block."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ._discovery import KINDS

__all__ = ["fake_dist", "installed"]


def fake_dist(
    folder: Path,
    name: str = "mlo-example",
    version: str = "1.0",
    *,
    entry_points: Mapping[str, Mapping[str, str]] | None = None,
    modules: Mapping[str, str] | None = None,
    metadata: bool = True,
) -> Path:
    """Write a distribution, as an installer leaves it, into the folder, and return the folder.

    ``entry_points`` are names and values by group; a kind alone (``providers``) is that group of the current plugin
    API. ``modules`` are sources by dotted name; packages come into being as needed. Without ``metadata``
    the dist-info has no METADATA, as after an interrupted uninstall. A module name stays imported only within
    :func:`installed`, so different distributions may use the same one.
    """
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(_sections(entry_points or {}), encoding="utf-8")
    for dotted, source in (modules or {}).items():
        _write_module(folder, dotted, source)
    return folder


@contextmanager
def installed(*folders: Path) -> Iterator[None]:
    """Have the folders at the head of ``sys.path``; afterwards, forget them and every module imported from them."""
    path_before, modules_before = sys.path[:], set(sys.modules)
    sys.path[:0] = [str(folder) for folder in folders]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path_before
        for name in set(sys.modules) - modules_before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and any(Path(file).is_relative_to(folder) for folder in folders):
                del sys.modules[name]
        importlib.invalidate_caches()


def _sections(groups: Mapping[str, Mapping[str, str]]) -> str:
    lines = []
    for group, names in groups.items():
        lines.append(f"[{f'mlo.v1.{group}' if group in KINDS else group}]")
        lines += [f"{name} = {value}" for name, value in names.items()]
    return "\n".join(lines) + "\n"


def _write_module(folder: Path, dotted: str, source: str) -> None:
    *packages, module = dotted.split(".")
    for package in packages:
        folder /= package
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    (folder / f"{module}.py").write_text(source, encoding="utf-8")
