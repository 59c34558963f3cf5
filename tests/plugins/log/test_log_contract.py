from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mlo_log.plugin import mlo_observers
from mlo_sdk.testing import ObserverContract


class TestLog(ObserverContract):
    (spec,) = mlo_observers()
    options: ClassVar = {"level": "debug"}


class TestLogFile(ObserverContract):
    (spec,) = mlo_observers()

    @pytest.fixture
    def table(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"path": str(tmp_path / "calls.log"), "level": "debug"}

    @pytest.fixture
    def emitted(self, tmp_path: Path) -> Callable[[], str]:
        path = tmp_path / "calls.log"
        return lambda: path.read_text("utf-8") if path.exists() else ""
