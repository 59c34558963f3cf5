"""Runs the code blocks of the documentation as tests; see tests/docs/blocks.py for what a block may say."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from tests.docs.blocks import ConsoleBlockParser, FileBlockParser

_ROOT = Path(__file__).parent


@contextlib.contextmanager
def _reader() -> Iterator[Path]:
    """The surroundings of somebody who follows a page: an empty folder, our commands, no settings of their own."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        for name in [name for name in os.environ if name.startswith("MLO_")]:
            patch.delenv(name)
        patch.setenv("PATH", f"{_ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        patch.setenv("HOME", folder)
        patch.setenv("NO_COLOR", "1")
        patch.setenv("COLUMNS", "100")
        yield Path(folder)


def _enter(namespace: dict[str, Any]) -> None:
    reader = _reader()
    reader.__enter__()
    namespace["__reader__"] = reader


def _leave(namespace: dict[str, Any]) -> None:
    namespace.pop("__reader__").__exit__(None, None, None)


pytest_collect_file = Sybil(
    parsers=[FileBlockParser(), ConsoleBlockParser(), PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/**/*.md"],
    path=str(_ROOT),
    setup=_enter,
    teardown=_leave,
).pytest()
