"""What a module of the kernel or the SDK offers is written down in its `__all__`."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

from tests.house.sources import ROOT, sources


def _public_modules() -> list[str]:
    names = []
    for path in sources():
        for distribution in ("core", "sdk"):
            root = ROOT / distribution / "src"
            if path.is_relative_to(root):
                names.append(_dotted(path.relative_to(root)))
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _defined(name: str) -> set[str]:
    """Public names that a module itself defines: classes, functions, and constants with a value."""
    module = importlib.import_module(name)
    tree = ast.parse(Path(str(module.__file__)).read_text())
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


@pytest.mark.parametrize("name", _public_modules())
def test_module_lists_its_public_names(name: str) -> None:
    module = importlib.import_module(name)
    listed: list[str] = module.__all__
    assert len(listed) == len(set(listed))
    assert [item for item in listed if not hasattr(module, item)] == []
    assert _defined(name) - set(listed) == set()


@pytest.mark.parametrize("name", _public_modules())
def test_public_names_have_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    public = {item: getattr(module, item) for item in module.__all__}
    ours = {item: value for item, value in public.items() if getattr(value, "__module__", "").startswith("mlo")}
    assert [item for item, value in ours.items() if not getattr(value, "__doc__", None)] == []
