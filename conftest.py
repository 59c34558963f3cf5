"""Runs the code blocks of the documentation as tests; see tests/docs/blocks.py for what a block may say."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from tests.docs.blocks import ConsoleBlockParser, FileBlockParser

_ROOT = Path(__file__).parent
# settings of the machine that would show in what a page prints
_PERSONAL = ("MLO_", "XDG_", "LC_", "LANG")


@contextlib.contextmanager
def _reader(language: str) -> Iterator[None]:
    """The surroundings of somebody who follows a page: an empty folder, our commands, no settings of their own."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        for name in [name for name in os.environ if name.startswith(_PERSONAL)]:
            patch.delenv(name)
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("HOME", folder)
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("MLO_LANG", language)
        patch.setenv("NO_COLOR", "1")
        patch.setenv("COLUMNS", "100")
        yield


def _pages(language: str, patterns: Sequence[str]) -> Sybil:
    def enter(namespace: dict[str, Any]) -> None:
        namespace["__reader__"] = reader = _reader(language)
        reader.__enter__()

    def leave(namespace: dict[str, Any]) -> None:
        namespace.pop("__reader__").__exit__(None, None, None)

    parsers = (FileBlockParser(), ConsoleBlockParser(), PythonCodeBlockParser(), SkipParser())
    return Sybil(parsers=parsers, patterns=patterns, path=str(_ROOT), setup=enter, teardown=leave)


_RU = _pages("ru", ("README.ru.md", "docs/ru/*.md", "docs/ru/*/*.md"))
_EN = _pages("en", ("README.md", "docs/en/*.md", "docs/en/*/*.md"))
pytest_collect_file = (_RU + _EN).pytest()
