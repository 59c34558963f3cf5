from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import mlo_cli
from mlo import errors
from mlo_cli.slash import COMMANDS
from mlo_cli.texts import catalogue, language, text

EN, RU = catalogue("en"), catalogue("ru")


def placeholders(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name}


def test_both_languages_have_the_same_texts() -> None:
    assert set(EN) == set(RU)


@pytest.mark.parametrize("key", sorted(EN))
def test_both_languages_use_the_same_placeholders(key: str) -> None:
    assert placeholders(EN[key]) == placeholders(RU[key])


def test_every_text_that_the_code_names_exists() -> None:
    sources = [path.read_text() for path in Path(mlo_cli.__file__).parent.rglob("*.py")]
    named = {key for source in sources for key in re.findall(r"\btext\(\"([a-z._]+)\"", source)}
    assert len(named) > 40
    assert named <= set(EN)


def test_every_slash_command_is_explained() -> None:
    assert {f"slash.{name}" for name in COMMANDS} <= set(EN)


def test_hints_belong_to_errors_that_exist() -> None:
    hinted = {key.removeprefix("hint.") for key in EN if key.startswith("hint.")}
    assert hinted <= set(errors.__all__)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "ru_RU"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": ""}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "MLO_LANG": "en"}, "en"),
        ({"LC_ALL": "C", "MLO_LANG": "RU"}, "ru"),
    ],
)
def test_language_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected


def test_text_fills_in_names() -> None:
    assert text("chat.saved", path="x.md") == "saved to x.md"
