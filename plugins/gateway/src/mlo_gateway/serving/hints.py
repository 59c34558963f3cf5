"""Replicas tell each other which targets are ill, so that each need not find out by failures of its own."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import attrs
import orjson
from attrs import frozen

from mlo import Router
from mlo.api import Environment, Observer, ObserverSpec
from mlo.hookspecs import hookimpl
from mlo.records import BreakerChanged, Record
from mlo.settings import ComponentSettings, Settings
from mlo_gateway.limits.signals import HINTS, Signals, Unsubscribe

__all__ = ["Hints", "with_hints"]

_NAME = "gateway-hints"


@frozen
class _NoOptions:
    """It has none."""


class Hints:
    """An observer of circuit breakers, as a plugin of its own. :meth:`join` puts it between a router and signals."""

    wants: frozenset[type[Record]] = frozenset({BreakerChanged})

    def __init__(self) -> None:
        self._router: Router | None = None
        self._signals: Signals | None = None

    @hookimpl
    def mlo_observers(self) -> Iterable[ObserverSpec[_NoOptions]]:
        """The observer itself."""
        yield ObserverSpec(name=_NAME, config=_NoOptions, summary="Tells replicas of ill targets", open=self._open)

    @asynccontextmanager
    async def _open(self, _config: _NoOptions, _environment: Environment) -> AsyncIterator[Observer]:
        yield self

    def join(self, router: Router, signals: Signals) -> Unsubscribe:
        """Tell others what this router finds out, and this router what others do, until the result is called."""
        self._router, self._signals = router, signals
        return signals.subscribe(HINTS, self.hear)

    def on(self, record: Record, /) -> None:
        """Tell others, unless it was others who told us."""
        if isinstance(record, BreakerChanged) and not record.hinted and record.state != "half-open":
            self._tell(record.target, well=record.state == "closed")

    def hear(self, payload: str) -> None:
        """Take what another replica, or this one, has told. What is no hint of ours is left out."""
        try:
            hint = orjson.loads(payload)
            target, seconds = hint["target"], float(hint["open_for"])
        except (ValueError, TypeError, KeyError):
            return
        if self._router is not None and self._router.is_open and isinstance(target, str) and math.isfinite(seconds):
            self._router.hint(target, open_for=seconds)

    def _tell(self, target: str, *, well: bool) -> None:
        if self._signals is None or self._router is None:
            return
        seconds = 0.0 if well else next((each.retry_in for each in self._router.targets() if each.name == target), 0.0)
        if well or seconds > 0:
            self._signals.publish(HINTS, orjson.dumps({"target": target, "open_for": seconds}).decode())


def with_hints(settings: Settings) -> Settings:
    """The settings with the observer."""
    observer = ComponentSettings(use=_NAME, path="gateway.hints")
    return attrs.evolve(settings, observers={**settings.observers, _NAME: observer})
