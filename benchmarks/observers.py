"""What accounting adds to a call, over the mock through the kernel: CPU time, each observer alone and some together.

Goals: at most 60 µs per call with metrics and ledger, 300 µs with spans that are exported. "records" is an observer
that takes what metrics take and does nothing. Run: ``./dev bench observers``.
"""

from __future__ import annotations

import importlib.util
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from _measure import print_table
from attrs import frozen

from mlo import ChatRequest, Message, Router, hookimpl
from mlo.api import Environment, Observer, ObserverSpec
from mlo.errors import MloError
from mlo.records import AttemptFailed, AttemptFinished, AttemptStarted, CallFinished, CallStarted, Record
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings

CALLS = 2_000
EVENTS = 5_000
ROUNDS = 7
ASK = ChatRequest(messages=(Message.user("Привет"),), metadata={"project": "bench"})
METRICS = {"use": "prometheus", "port": 0}


@frozen
class NoOptions:
    """None."""


class Idle:
    """Takes what metrics take, and does nothing: what the records themselves cost."""

    wants: frozenset[type[Record]] = frozenset(
        {CallStarted, AttemptStarted, AttemptFinished, AttemptFailed, CallFinished}
    )

    def on(self, _record: Record, /) -> None:
        """Let it go."""


@asynccontextmanager
async def _open(_config: NoOptions, _environment: Environment) -> AsyncIterator[Observer]:
    yield Idle()


class IdlePlugin:
    """Offers it."""

    @hookimpl
    def mlo_observers(self) -> Iterable[ObserverSpec[NoOptions]]:
        """The one observer."""
        return [ObserverSpec(name="records", config=NoOptions, open=_open)]


def _observers(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Tables of observers by the name of what is measured."""
    ledger = {"use": "ledger", "url": f"sqlite:///{folder}/ledger.db"}
    otel = {"use": "otel"}
    return {
        "nothing": [],
        "records": [{"use": "records"}],
        "prometheus": [METRICS],
        "prometheus, no chunks": [METRICS | {"chunks": False}],
        "ledger": [ledger],
        "prometheus and ledger": [METRICS, ledger],
        "otel": [otel],
        "all three": [METRICS, ledger, otel],
    }


def _installed(tables: list[dict[str, Any]]) -> bool:
    return all(table["use"] == "records" or importlib.util.find_spec(f"mlo_{table['use']}.plugin") for table in tables)


def _settings(tables: list[dict[str, Any]]) -> Settings:
    observers = {
        table["use"]: ComponentSettings(
            use=table["use"],
            options={key: value for key, value in table.items() if key != "use"},
            path=f"observers.{table['use']}",
        )
        for table in tables
    }
    return Settings(
        providers={
            "mock": ProviderSettings(use="mock", path="providers.mock"),
            "long": ProviderSettings(use="mock", options={"answer": "слово " * EVENTS}, path="providers.long"),
        },
        routes={"default": RouteSettings(targets=("mock",))},
        observers=observers,
    )


def _call(router: Router) -> Callable[[], Awaitable[int]]:
    async def calls() -> int:
        for _ in range(CALLS):
            await router.route(ASK, route="default")
        return CALLS

    return calls


def _stream(router: Router) -> Callable[[], Awaitable[int]]:
    async def stream() -> int:
        async with router.route_stream(ASK, target="long") as events:
            return len([event async for event in events])

    return stream


async def _cpu_of_each(subjects: Mapping[str, Callable[[], Awaitable[int]]]) -> dict[str, tuple[float, float]]:
    """Median CPU seconds per unit, of the caller's thread and of the whole process; the subjects take turns."""
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in subjects}
    for number in range(ROUNDS + 1):
        for name, subject in subjects.items():
            thread, process = time.thread_time(), time.process_time()
            units = await subject()
            spent = (time.thread_time() - thread) / units, (time.process_time() - process) / units
            if number:  # the first round warms up
                figures[name].append(spent)
    return {name: tuple(map(statistics.median, zip(*each, strict=True))) for name, each in figures.items()}  # type: ignore[misc]


async def _measured() -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float]]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        routers: dict[str, Router] = {}
        for name, tables in _observers(folder).items():
            if not _installed(tables):
                continue
            own = folder / f"{len(routers)}"
            own.mkdir()
            try:
                router = Router(_settings(_observers(own)[name]), plugins=[IdlePlugin()])
                routers[name] = await stack.enter_async_context(router)
            except MloError as error:
                print(f"  {name}: not measured: {error}")
        calls = await _cpu_of_each({name: _call(router) for name, router in routers.items()})
        events = await _cpu_of_each({name: _stream(router) for name, router in routers.items()})
    return calls, events


async def main() -> None:
    """Measure on the backend that is running."""
    for title, figures in zip(("a call", "an event of a stream"), await _measured(), strict=True):
        thread, process = figures["nothing"]
        rows = [
            (name, f"{own * 1e6:.2f}", f"{(own - thread) * 1e6:.2f}", f"{(all_ - process) * 1e6:.2f}")
            for name, (own, all_) in figures.items()
        ]
        print_table(f"{title}: CPU, µs", ("observers", "caller's thread", "added", "added, all threads"), rows)


if __name__ == "__main__":
    logging.disable()
    for backend in sys.argv[1:] or ["asyncio", "trio"]:
        print(f"\n== {backend} ==")
        anyio.run(main, backend=backend)
