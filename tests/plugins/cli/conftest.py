"""The surroundings of the commands under test: an empty folder, no settings of the machine, English."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

_PERSONAL = ("MLO_", "XDG_", "LC_", "LANG", "NO_COLOR", "FORCE_COLOR", "TTY_", "COLUMNS", "LINES")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The empty folder that the commands run in, which is also the home directory."""
    for name in [name for name in os.environ if name.startswith(_PERSONAL)]:
        monkeypatch.delenv(name)
    for name in ("MLO_CONFIG", "MLO_PROFILE"):  # commands set them: whatever they leave must not outlive the test
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("MLO_LANG", "en")
    monkeypatch.chdir(tmp_path)
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield tmp_path


@pytest.fixture
def config(home: Path) -> Callable[[str], None]:
    """Writes `mlo.toml`."""

    def write(text: str) -> None:
        (home / "mlo.toml").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[Callable[[str], None]]:
    """Feeds standard input from a file, as the shell's `<` does."""
    with ExitStack() as files:

        def feed(text: str) -> None:
            path = home / "fed-to-stdin"
            path.write_text(text, encoding="utf-8")
            monkeypatch.setattr("sys.stdin", files.enter_context(path.open(encoding="utf-8")))

        yield feed
