"""Write pages of docs/*/reference from the code: hooks, plugins and their options, the commands' own help.

    python scripts/reference.py            rewrite the pages
    python scripts/reference.py --check    exit code 1 if a committed page is not current

What the code does not say stands in docs/reference.toml, in both languages. A test runs the check, so a changed
signature or option cannot go without its page.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from mlo._cli.main import main as mlo
from mlo._registry import PluginRegistry
from mlo._schema import options_schema
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


def rows_of(registry: PluginRegistry, kind: str) -> Iterator[tuple[str, str]]:
    """Id and distribution of what this repository offers of a kind."""
    rows = sorted({(row.id, row.dist or "") for row in registry.candidates() if row.kind == kind})
    yield from ((plugin, dist) for plugin, dist in rows if dist.startswith("mlo-"))


def schema_type(schema: Mapping[str, Any]) -> str:
    """A type of JSON Schema in a few words."""
    if "enum" in schema:
        return " \\| ".join(f"`{json.dumps(value, ensure_ascii=False)}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " \\| ".join(dict.fromkeys(schema_type(one) for one in schema["anyOf"]))
    name = str(schema.get("type", "any"))
    items = schema.get("items" if name == "array" else "additionalProperties")
    return f"{name} of {schema_type(items)}" if isinstance(items, dict) and items else name


def option_rows(schema: Mapping[str, Any], text: Text, prefix: str = "") -> Iterator[str]:
    """Rows of the table of a plugin's options; those of a table inside are named with dots, as TOML allows."""
    for name, option in schema.get("properties", {}).items():
        if inner := list(option_rows(option, text, f"{prefix}{name}.")):
            yield from inner
            continue
        default = f"`{json.dumps(option['default'], ensure_ascii=False)}`" if "default" in option else ""
        shown = text("pages", "plugins", "required") if name in schema.get("required", ()) else default
        yield f"| `{prefix}{name}` | {schema_type(option)} | {shown} |"


def plugins_page(text: Text) -> str:
    """Every plugin of this repository with its options."""
    registry = PluginRegistry()
    lines = [text("pages", "plugins", "title"), "", text("pages", "plugins", "intro"), ""]
    for kind in ("providers", "auth", "strategies", "observers"):
        lines += [f"## {text('pages', 'plugins', kind)}", ""]
        for name, distribution in rows_of(registry, kind):
            spec = registry.spec(kind, name)
            lines += [f"### {name}", "", f"`{distribution}` — {spec.summary}", ""]
            if options := list(option_rows(options_schema(spec.config), text)):
                lines += [text("pages", "plugins", "heading"), "|---|---|---|", *options, ""]
    return "\n".join(lines).rstrip() + "\n"


def help_of(*words: str) -> str:
    """What a command says of itself, in the language of the environment."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        mlo([*words, "--help"])
    return output.getvalue().rstrip()


def commands_page(text: Text) -> str:
    """The help of every command."""
    commands: list[tuple[str, ...]] = [(), ("plugins",), ("config",)]
    commands += [("plugins", name) for name in ("list", "show", "doctor", "hooks")]
    commands += [("config", name) for name in ("check", "show", "schema")]
    commands += [(name,) for name, _ in rows_of(PluginRegistry(), "commands")]
    lines = [text("pages", "cli", "title"), "", text("pages", "cli", "intro"), ""]
    for words in sorted(commands):
        lines += [f"## {' '.join(('mlo', *words))}", "", "```text", help_of(*words), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


PAGES: Mapping[str, Callable[[Text], str]] = {"cli": commands_page, "hooks": hooks_page, "plugins": plugins_page}


def generate() -> dict[Path, str]:
    """Every generated page by its path."""
    pages = {}
    for language in ("ru", "en"):
        os.environ |= {"MLO_LANG": language, "COLUMNS": "100", "NO_COLOR": "1"}
        text = Texts(language)
        for name, page in PAGES.items():
            pages[DOCS / language / "reference" / f"{name}.md"] = page(text)
        if unused := text.unused():
            sys.exit(f"docs/reference.toml: no such thing any more: {', '.join(unused)}")
    return pages


def is_current(path: Path, text: str) -> bool:
    """Whether a page says that text. Only words count: argparse lays its help out differently from Python to Python."""
    return path.exists() and path.read_text().split() == text.split()


def main(arguments: list[str]) -> int:
    """Rewrite, or only compare."""
    pages = generate()
    stale = [path for path, text in pages.items() if not is_current(path, text)]
    for path in stale:
        if arguments == ["--check"]:
            print(f"{path.relative_to(DOCS.parent)} is not current; run: .venv/bin/python scripts/reference.py")
        else:
            path.write_text(pages[path])
    return int(arguments == ["--check"] and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
