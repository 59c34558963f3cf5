"""What LangChain's standard tests expect of pytest, without the plugins that they bring along for it."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from mlo_langchain import MultiLLMOrchestrator

from .switched_off import SWITCHED_OFF

T = TypeVar("T")
FOLDER = Path(__file__).parent
# one white pixel
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTkzFAAAAABJRU5ErkJggg==")


def pytest_configure(config: pytest.Config) -> None:
    for marker in ("benchmark: measures time", "vcr: replays a recording of the network"):
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what would only skip itself; see `switched_off`."""
    out = [item for item in items if _is_off(item)]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if not _is_off(item)]


def _is_off(item: pytest.Item) -> bool:
    if FOLDER not in item.path.parents or not isinstance(item, pytest.Function) or item.cls is None:
        return False
    return item.originalname in SWITCHED_OFF.get(item.cls.__name__, ())


@pytest.fixture
def anyio_backend() -> str:
    """LangChain's asynchronous half runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def benchmark() -> Callable[[Callable[[], T]], T]:
    """Runs what another plugin would measure."""
    return lambda measured: measured()


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """What is written down in `serialized.json`, for the route of the test's class."""

    def written(*, name: str) -> Any:
        text = (FOLDER / "serialized.json").read_text()
        return json.loads(text.replace("ROUTE", request.cls.route))[name]

    return written


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard tests fetch a picture from the internet; here it is always the same one."""
    from langchain_tests.integration_tests import chat_models

    fetched = SimpleNamespace(get=lambda *_args, **_options: SimpleNamespace(content=PIXEL))
    monkeypatch.setattr(chat_models, "httpx", fetched)


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """LangChain's `load` restores "all" classes of its own list, and others if they are named; the test names none."""
    load = importlib.import_module("langchain_core.load.load")
    paths = {tuple(MultiLLMOrchestrator.lc_id()), *load._get_default_allowed_class_paths("all")}
    monkeypatch.setitem(load._default_class_paths_cache, "all", paths)
