"""The documentation is whole: both languages have the same pages, and the menu leads to each of them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.house.sources import ROOT


def _pages(language: str) -> set[str]:
    folder = ROOT / "docs" / language
    return {str(path.relative_to(folder)) for path in folder.rglob("*.md")}


def _menu(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        for target in entry.values() if isinstance(entry, dict) else (entry,):
            yield from _menu(target) if isinstance(target, list) else (target,)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_menu_leads_to_every_page(language: str) -> None:
    project = tomllib.loads((ROOT / f"zensical.{language}.toml").read_text())["project"]
    assert sorted(_menu(project["nav"])) == sorted(_pages(language))


def test_both_languages_have_the_same_pages() -> None:
    assert _pages("ru") == _pages("en")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_page_opens_with_its_title(language: str) -> None:
    folder = ROOT / "docs" / language
    assert [page for page in sorted(_pages(language)) if not (folder / page).read_text().startswith("# ")] == []
