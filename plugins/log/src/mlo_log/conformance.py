"""How the contract of observers is kept: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mlo_sdk.testing import ObserverContract

from .plugin import mlo_observers

__all__ = ["TestLog", "TestLogFile"]


class TestLog(ObserverContract):
    """To the standard error."""

    (spec,) = mlo_observers()
    options: ClassVar = {"level": "debug"}


class TestLogFile(ObserverContract):
    """To a file, which is read again."""

    (spec,) = mlo_observers()

    @pytest.fixture
    def table(self, tmp_path: Path) -> Mapping[str, Any]:
        """A file of the test's own."""
        return {"path": str(tmp_path / "calls.log"), "level": "debug"}

    @pytest.fixture
    def emitted(self, tmp_path: Path) -> Callable[[], str]:
        """The lines written so far."""
        path = tmp_path / "calls.log"
        return lambda: path.read_text("utf-8") if path.exists() else ""
