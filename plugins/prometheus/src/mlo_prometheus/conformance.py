"""How the contract of observers is kept: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest
from attrs import evolve

from mlo.api import Environment
from mlo_sdk.testing import ObserverContract

from .config import PrometheusConfig
from .observer import PrometheusObserver
from .opening import open_prometheus
from .plugin import mlo_observers

__all__ = ["TestPrometheus", "TestPrometheusPage"]


class TestPrometheus(ObserverContract):
    """With an endpoint on any free port."""

    (spec,) = mlo_observers()
    options: ClassVar = {"port": 0}


class TestPrometheusPage(ObserverContract):
    """Without an endpoint, as inside a gateway; the page is read from the observer."""

    published = False
    opened: ClassVar[list[PrometheusObserver]] = []

    @asynccontextmanager
    async def _remember(config: PrometheusConfig, environment: Environment) -> AsyncIterator[PrometheusObserver]:  # type: ignore[misc]  # noqa: N805
        async with open_prometheus(config, environment) as observer:
            TestPrometheusPage.opened.append(observer)
            yield observer

    spec = evolve(next(iter(mlo_observers())), open=_remember)
    options: ClassVar = {"listen": False, "process": False}

    @pytest.fixture
    def emitted(self) -> Callable[[], str]:
        """The pages of all observers of this test."""
        first = len(self.opened)
        return lambda: "".join(observer.exposition()[1].decode() for observer in self.opened[first:])
