"""A stream that nobody closed ends its call in a finalizer: in whatever an observer is doing at that moment."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

from mlo.records import Record
from mlo_otel.delivery import Losses, Outbox
from mlo_otel.plugin import mlo_observers as otel
from mlo_prometheus.plugin import mlo_observers as prometheus
from mlo_sdk.testing import build
from mlo_sdk.testing.record_samples import SAMPLE_RECORDS
from mlo_sdk.testing.surroundings import LoneEnvironment, hosted

pytestmark = pytest.mark.anyio


class _Unclosed:
    """In a cycle, so that the collector finds it, wherever it happens to run."""

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end
        self._cycle = self

    def __del__(self) -> None:
        self._end()


def _collecting(take: Callable[[Any], object], things: tuple[Any, ...]) -> int:
    """Give all things to ``take``, with a finalizer that does the same at nearly every allocation."""
    before, ended = gc.get_threshold(), 0

    def end() -> None:
        nonlocal ended
        ended += 1
        for thing in things:
            take(thing)

    gc.set_threshold(1)
    try:
        for thing in things * 5:
            _Unclosed(end)
            take(thing)
    finally:
        gc.set_threshold(*before)
        gc.collect()  # none is left to end in another test
    return ended


@pytest.mark.parametrize(
    ("offered", "options"),
    [(prometheus, {"port": 0}), (otel, {"endpoint": "http://127.0.0.1:9"})],
    ids=["prometheus", "otel"],
)
async def test_observers_bear_ends_in_finalizers(offered: Callable[[], Any], options: dict[str, Any]) -> None:
    (spec,) = offered()
    records: tuple[Record, ...] = SAMPLE_RECORDS
    async with hosted(spec.open, build(spec, options), LoneEnvironment(path="observers.x")) as observer:
        # in a context of its own: these attempts begin and never end, and would leave their trace headers behind
        assert copy_context().run(_collecting, observer.on, records) > 0


def test_a_full_outbox_bears_it_too() -> None:
    losses = Losses("test")
    outbox: Outbox[int] = Outbox("spans", lambda _batch: True, losses, limit=10_000, batch=1, delay=0.01)
    assert _collecting(outbox.put, tuple(range(20))) > 0
    outbox.stop()
    outbox.join(5)
    assert outbox.sent > 100
