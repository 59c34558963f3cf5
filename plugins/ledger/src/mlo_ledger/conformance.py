"""How the contract of observers is kept: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mlo_sdk.testing import ObserverContract

from .plugin import mlo_observers

__all__ = ["TestLedger"]


class TestLedger(ObserverContract):
    """Into a SQLite file, which is read again."""

    (spec,) = mlo_observers()

    @pytest.fixture
    def table(self, tmp_path: Path) -> Mapping[str, Any]:
        """A database of the test's own."""
        return {"url": f"sqlite:///{tmp_path / 'ledger.db'}", "budgets": [{"project": "*", "requests": 1_000}]}

    @pytest.fixture
    def emitted(self, tmp_path: Path) -> Callable[[], str]:
        """All events."""
        path = tmp_path / "ledger.db"

        def read() -> str:
            if not path.exists():
                return ""
            with closing(sqlite3.connect(path)) as connection:
                return "\n".join(map(str, connection.execute("SELECT * FROM usage_event")))

        return read
