"""Surroundings of the core's commands: no configuration, no settings of the person who runs the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, where English is spoken and no variable of ours is set."""
    for name in [name for name in os.environ if name.startswith("MLO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLO_LANG", "en")
    monkeypatch.setenv("COLUMNS", "100")
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place
