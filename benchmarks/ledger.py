"""What the ledger adds to a call over the mock provider, and what its writer can do.

CPU per call: of the calling thread alone, and of the whole process with the writer's thread. Settlements per second
through the writer (journal, rows, roll-ups), and the time from the end of a call to its commit at 2,000 calls a second.
Goals: with metrics at most 60 µs per call in the calling thread, 10,000 settlements/s, p99 of a commit 30 ms.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import anyio
from _measure import print_table
from attrs import frozen

from mlo import ChatRequest, Message, Router, hookimpl
from mlo.api import Environment, ObserverSpec
from mlo.models import Price
from mlo.records import AttemptFinished, AttemptStarted, CallFinished, CallStarted, Record, RouteDecided, StepChosen
from mlo.responses import FinishReason, Usage
from mlo.routing import Request
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings
from mlo_ledger.observer import LedgerObserver
from tests.services.postgres import postgres_server

CALLS = 2_000
ROUNDS = 5
SETTLEMENTS = 20_000
RATE = 2_000
SECONDS = 5
LISTENER = "a mere listener"
PRICE = Price(prompt=65_000_000_000, completion=130_000_000_000, source="a benchmark")
METADATA = {"organization": "acme", "project": "web", "key": "k-1", "request_id": "r-1"}
ASK = ChatRequest(messages=(Message.user("Привет"),), metadata=METADATA)


class Listener:
    """Takes the same records as the ledger, and does nothing with them."""

    wants: frozenset[type[Record]] = frozenset(
        {CallStarted, RouteDecided, StepChosen, AttemptStarted, AttemptFinished, CallFinished}
    )

    def on(self, record: Record, /) -> None:
        """Nothing."""

    def admit(self, _call: CallStarted, _request: Request, /) -> None:
        """Everybody may go on."""


@frozen
class NoOptions:
    """None."""


class ListenerPlugin:
    """Offers it."""

    @hookimpl
    def mlo_observers(self) -> Iterable[ObserverSpec[NoOptions]]:
        """The one observer."""
        return [ObserverSpec(name="listener", config=NoOptions, open=_listening)]


@asynccontextmanager
async def _listening(_config: NoOptions, _environment: Environment) -> AsyncIterator[Listener]:
    yield Listener()


@asynccontextmanager
async def router(url: str | None, folder: Path, *, budget: bool = False) -> AsyncIterator[Router]:
    """A router over the mock, with a ledger or without."""
    observers = {}
    plugins = [ListenerPlugin()]
    if url == LISTENER:
        observers = {"listener": ComponentSettings(use="listener", path="observers.listener")}
    elif url is not None:
        options: dict[str, object] = {"url": url, "journal": str(folder / "journal")}
        if budget:
            options["budgets"] = [{"project": "web", "requests": 100_000_000, "roubles": "1000000"}]
        observers = {"ledger": ComponentSettings(use="ledger", options=options, path="observers.ledger")}
    mock = ProviderSettings(use="mock", price=PRICE, path="providers.mock")
    settings = Settings(
        providers={"mock": mock}, routes={"default": RouteSettings(targets=("mock",))}, observers=observers
    )
    async with Router(settings, plugins=plugins) as opened:
        yield opened


async def cpu_per_call(subjects: dict[str, Router]) -> dict[str, tuple[float, float]]:
    """Median CPU seconds per call: of this thread, of the process until the database has everything."""
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in subjects}
    for number in range(ROUNDS + 1):
        for name, each in subjects.items():
            thread, process = time.thread_time(), time.process_time()
            for _ in range(CALLS):
                await each.route(ASK)
            spent = time.thread_time() - thread
            if name not in {"without", LISTENER}:
                await (await ledger_of(each)).flush()
            if number:
                figures[name].append((spent / CALLS, (time.process_time() - process) / CALLS))
    return {
        name: (statistics.median(f[0] for f in found), statistics.median(f[1] for f in found))
        for name, found in figures.items()
    }


async def ledger_of(opened: Router) -> LedgerObserver:
    """Its ledger."""
    found = await opened.observer("ledger")
    assert isinstance(found, LedgerObserver)
    return found


def call(ledger: LedgerObserver, number: int) -> None:
    """The records of one call."""
    name, usage = f"bench-{time.monotonic_ns():x}-{number:x}", Usage(prompt_tokens=120, completion_tokens=40)
    ledger.on(CallStarted(call_id=name, route="default", operation="chat", metadata=METADATA))
    ledger.on(RouteDecided(call_id=name, route="default", strategy="first-available", candidates=("mock",)))
    ledger.on(StepChosen(call_id=name, targets=("mock",), probability=1.0))
    ledger.on(
        AttemptStarted(call_id=name, attempt=1, target="mock", model="m", provider="mock", plugin="mock", price=PRICE)
    )
    ledger.on(
        AttemptFinished(
            call_id=name,
            attempt=1,
            target="mock",
            elapsed=0.4,
            model="m",
            usage=usage,
            finish_reason=FinishReason.STOP,
        )
    )
    ledger.on(
        CallFinished(call_id=name, route="default", status="ok", elapsed=0.4, attempts=1, target="mock", usage=usage)
    )


async def per_second(ledger: LedgerObserver) -> tuple[float, float]:
    """Settlements per second: of the writer alone, and of this process with the calls that end in it."""
    writer = ledger._writer  # noqa: SLF001 - to hand over what calls have left, all at once
    assert writer is not None
    took: list[tuple[Any, Any]] = []
    put, writer.put = writer.put, lambda place, settlement: took.append((place, settlement))  # type: ignore[method-assign]  # for a moment
    for number in range(SETTLEMENTS):
        call(ledger, number)
    writer.put = put  # type: ignore[method-assign]  # as it was
    began = time.perf_counter()
    for each in took:
        put(*each)
    await ledger.flush()
    alone = SETTLEMENTS / (time.perf_counter() - began)
    began = time.perf_counter()
    for number in range(SETTLEMENTS):
        call(ledger, number)
    await ledger.flush()
    return alone, SETTLEMENTS / (time.perf_counter() - began)


async def commit_times(ledger: LedgerObserver) -> tuple[float, float, float]:
    """Median, 99th percentile and most of the time from a call's end to its commit, at a steady rate."""
    times: list[float] = []

    async def committed(since: float) -> None:
        await ledger.flush()
        times.append(time.perf_counter() - since)

    async with anyio.create_task_group() as tasks:
        began = time.perf_counter()
        for number in range(RATE * SECONDS):
            call(ledger, number)
            if number % 10 == 0:
                tasks.start_soon(committed, time.perf_counter())
            await anyio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)], times[-1]


async def measure(stores: dict[str, str], folder: Path) -> None:
    """Everything, for each store."""
    async with AsyncExitStack() as stack:
        subjects = {"without": await stack.enter_async_context(router(None, folder))}
        subjects[LISTENER] = await stack.enter_async_context(router(LISTENER, folder))
        for name, url in stores.items():
            subjects[name] = await stack.enter_async_context(router(url, folder / name))
            budgeted = router(url, folder / f"{name} budget", budget=True)
            subjects[f"{name}, with budgets"] = await stack.enter_async_context(budgeted)
        figures = await cpu_per_call(subjects)
        thread, process = figures["without"]
        rows = [
            (name, f"{a * 1e6:.1f}", f"{(a - thread) * 1e6:.1f}", f"{(b - process) * 1e6:.1f}")
            for name, (a, b) in figures.items()
        ]
        print_table("CPU of one call, µs", ("", "calling thread", "added there", "added in the process"), rows)
        table = []
        for name in stores:
            ledger = await ledger_of(subjects[name])
            alone, rate = await per_second(ledger)
            middle, most, worst = await commit_times(ledger)
            table.append(
                (
                    name,
                    f"{alone:,.0f}",
                    f"{rate:,.0f}",
                    f"{middle * 1e3:.1f}",
                    f"{most * 1e3:.1f}",
                    f"{worst * 1e3:.1f}",
                )
            )
        head = ("", "settlements/s", "with their calls", "commit p50, ms", "p99", "max")
        print_table(f"the writer; commits at {RATE} calls/s", head, table)


def main() -> None:
    """Measure with SQLite and PostgreSQL."""
    with tempfile.TemporaryDirectory() as name, postgres_server() as server:
        folder = Path(name)
        for each in ("SQLite", "PostgreSQL"):
            (folder / each).mkdir()
        stores = {"SQLite": f"sqlite:///{folder}/ledger.db", "PostgreSQL": server.database()}
        anyio.run(measure, stores, folder)


if __name__ == "__main__":
    main()
