"""Write docs/*/reference/hooks.md from the code of the kernel and the texts in docs/reference.toml.

    python scripts/reference.py            rewrite the pages
    python scripts/reference.py --check    exit code 1 if a committed page is not current

A test runs the check, so a changed signature cannot go without its page.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from mlo.api import AuthSpec, ObserverSpec, ProviderSpec, Spec, StrategySpec
from mlo.hookspecs import HookSpecs

DOCS = Path(__file__).resolve().parent.parent / "docs"
SPECS: Mapping[str, type] = {
    "mlo_providers": ProviderSpec,
    "mlo_strategies": StrategySpec,
    "mlo_auth_schemes": AuthSpec,
    "mlo_observers": ObserverSpec,
}
Text = Callable[..., str]


class Texts:
    """The texts of one language; remembers which were used."""

    def __init__(self, language: str) -> None:
        self._tables: dict[str, Any] = tomllib.loads((DOCS / "reference.toml").read_text())
        self._language = language
        self._used: set[tuple[str, ...]] = set()

    def __call__(self, *path: str) -> str:
        """The text at a path of tables; an error names what is missing."""
        table = self._tables
        for key in path:
            if key not in table:
                sys.exit(f"docs/reference.toml: [{'.'.join(path)}] is missing")
            table = table[key]
        self._used.add(path)
        return str(table[self._language])

    def unused(self) -> list[str]:
        """Texts whose subject is gone."""
        return sorted(".".join(path) for path in _leaves(self._tables) if path not in self._used)


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not any(isinstance(value, dict) for value in table.values()):
        yield path
        return
    for key, value in table.items():
        yield from _leaves(value, (*path, key))


def signature(name: str) -> str:
    """The function that a plugin writes for a hook: its exact signature, without the `self` of the spec."""
    spec = inspect.signature(getattr(HookSpecs, name))
    parameters = [parameter for parameter in spec.parameters.values() if parameter.name != "self"]
    return f"def {name}{spec.replace(parameters=parameters)}: ...".replace("'", "")


def hooks() -> list[str]:
    """Names of all hooks, in the order of the source."""
    return [name for name in vars(HookSpecs) if name.startswith("mlo_")]


def type_name(annotation: object) -> str:
    """A type as a reader writes it: without module names and quotes."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text).replace("|", "\\|")


def spec_rows(spec: type, text: Text) -> Iterator[str]:
    """Rows of the table of a spec's fields."""
    common = {field.name for field in attrs.fields(Spec)}
    for field in attrs.fields(spec):
        owner = "Spec" if field.name in common else spec.__name__
        yield f"| `{field.name}` | `{type_name(field.type)}` | {text('specs', owner, field.name)} |"


def hooks_page(text: Text) -> str:
    """The page of hooks in one language."""
    lines = [text("pages", "hooks", "title"), "", text("pages", "hooks", "intro"), ""]
    for name in hooks():
        lines += [f"## {name}", "", "```{.python}", signature(name), "```", "", text("hooks", name), ""]
        if spec := SPECS.get(name):
            lines += [f"| `{spec.__name__}` | {text('pages', 'hooks', 'type')} | |", "|---|---|---|"]
            lines += [*spec_rows(spec, text), ""]
    return "\n".join(lines).rstrip() + "\n"


PAGES: Mapping[str, Callable[[Text], str]] = {"hooks": hooks_page}


def generate() -> dict[Path, str]:
    """Every generated page by its path."""
    pages = {}
    for language in ("ru", "en"):
        text = Texts(language)
        for name, page in PAGES.items():
            pages[DOCS / language / "reference" / f"{name}.md"] = page(text)
        if unused := text.unused():
            sys.exit(f"docs/reference.toml: no such thing any more: {', '.join(unused)}")
    return pages


def main(arguments: list[str]) -> int:
    """Rewrite, or only compare."""
    stale = {path: text for path, text in generate().items() if not path.exists() or path.read_text() != text}
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)} is not current; run: .venv/bin/python scripts/reference.py")
        return int(bool(stale))
    for path, text in stale.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
