"""What the kernel adds to a call and to a stream event, over the mock provider, in CPU time.

Yardsticks in the same run: the mock called directly, and bare anyio cancel scopes (one per event is the price of
deadlines and prompt cancellation). Goals: at most 30 µs per unary call with one observer, 5 µs per stream event.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
from _measure import cpu_of_each, print_table
from attrs import frozen

from mlo import ChatRequest, Router, hookimpl
from mlo.api import CallContext, Environment, Observer, ObserverSpec
from mlo.records import CallFinished, Record
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings

CALLS = 4_000
EVENTS = 20_000
ASK = ChatRequest.of("Привет")
CONTEXT = CallContext(call_id="x", attempt=1, target="mock", route="x")


@frozen
class NoOptions:
    """None."""


class Counter:
    """The smallest observer that does something."""

    wants: frozenset[type[Record]] = frozenset({CallFinished})

    def __init__(self) -> None:
        self.calls = 0

    def on(self, _record: Record, /) -> None:
        """Count."""
        self.calls += 1


class CounterPlugin:
    """Offers it."""

    @hookimpl
    def mlo_observers(self) -> Iterable[ObserverSpec[Any]]:
        """The one observer."""
        return [ObserverSpec(name="counter", config=NoOptions, open=self._open)]

    def _open(self, _config: object, _env: Environment) -> AbstractAsyncContextManager[Observer]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Observer]:
            yield Counter()

        return opened()


def _settings(*, observed: bool) -> Settings:
    mock = ProviderSettings(use="mock", path="providers.mock")
    long = ProviderSettings(use="mock", options={"answer": "слово " * EVENTS}, path="providers.long")
    observers = {"counter": ComponentSettings(use="counter", path="observers.counter")} if observed else {}
    routes = {"default": RouteSettings(targets=("mock",))}
    return Settings(providers={"mock": mock, "long": long}, routes=routes, observers=observers)


async def _unary(bare: Router, observed: Router) -> dict[str, float]:
    assert bare._kernel is not None  # noqa: SLF001 - to call the provider without the kernel
    provider = await bare._kernel.open(bare._kernel.wiring.instance("mock", "bench"))  # noqa: SLF001

    async def times(call: Callable[[], Awaitable[object]]) -> int:
        for _ in range(CALLS):
            await call()
        return CALLS

    return await cpu_of_each(
        {
            "mock alone": lambda: times(lambda: provider.generate(ASK, CONTEXT)),
            "Router.route": lambda: times(lambda: bare.route(ASK, route="default")),
            "… with one observer": lambda: times(lambda: observed.route(ASK, route="default")),
            "… and a deadline": lambda: times(lambda: observed.route(ASK, route="default", deadline=60.0)),
        }
    )


async def _streamed(router: Router) -> dict[str, float]:
    assert router._kernel is not None  # noqa: SLF001 - to call the provider without the kernel
    provider = await router._kernel.open(router._kernel.wiring.instance("long", "bench"))  # noqa: SLF001

    async def alone() -> int:
        return len([event async for event in provider.generate_stream(ASK, CONTEXT)])

    async def routed(deadline: float | None) -> int:
        async with router.route_stream(ASK, target="long", deadline=deadline) as stream:
            return len([event async for event in stream])

    async def scopes() -> int:
        for _ in range(EVENTS):
            with anyio.CancelScope():  # noqa: ASYNC100 - only its price matters here
                pass
        return EVENTS

    return await cpu_of_each(
        {
            "mock alone": alone,
            "one bare cancel scope": scopes,
            "Router.route_stream": lambda: routed(None),
            "… with a deadline": lambda: routed(60.0),
        }
    )


async def main() -> None:
    """Measure on the backend that is running."""
    plugins = [CounterPlugin()]
    async with Router(_settings(observed=False)) as bare, Router(_settings(observed=True), plugins=plugins) as watched:
        calls, events = await _unary(bare, watched), await _streamed(watched)
    for title, figures in (("one call", calls), ("one event of a stream", events)):
        alone = figures["mock alone"]
        rows = [
            (name, f"{cpu * 1e6:.2f}", "" if "alone" in name or "bare" in name else f"{(cpu - alone) * 1e6:.2f}")
            for name, cpu in figures.items()
        ]
        print_table(title, ("CPU, µs", "each", "added by the kernel"), rows)


if __name__ == "__main__":
    for backend in sys.argv[1:] or ["asyncio", "trio"]:
        print(f"\n== {backend} ==")
        anyio.run(main, backend=backend)
