"""What the kernel adds to a call and to a stream event, over the mock provider, in CPU time; and to a relay.

Yardsticks in the same run: the provider called directly, and bare anyio cancel scopes (one per event is the price of
deadlines and prompt cancellation). Goals: at most 30 µs per unary call or relay with one observer, 5 µs per stream
event, 3 µs per piece of a relayed stream.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
from _measure import cpu_of_each, print_table
from attrs import frozen

from mlo import Capability, ChatRequest, ChatResponse, Router, Usage, hookimpl
from mlo.api import CallContext, Environment, Observer, ObserverSpec
from mlo.events import Event
from mlo.records import CallFinished, Record
from mlo.relay import Relayed, RelayRequest, RelaySummary
from mlo.relayed import RelayedStream
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings

CALLS = 4_000
EVENTS = 20_000
ASK = ChatRequest.of("Привет")
SUMMARY = RelaySummary(usage=Usage(prompt_tokens=1, completion_tokens=2))
CHAT = frozenset({Capability.CHAT})
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


class Pieces:
    """A stream of ``EVENTS`` pieces."""

    content_type = "text/event-stream"
    is_bounded = True

    def __init__(self) -> None:
        self._left = EVENTS

    async def receive(self) -> bytes:
        """The next one."""
        self._left -= 1
        return b"data: {}\n\n" if self._left >= 0 else b""

    def summary(self) -> RelaySummary:
        """What is known."""
        return SUMMARY

    async def aclose(self) -> None:
        """Nothing to do."""


class Scopes(Pieces):
    """The same from a source that leaves the deadline to the kernel."""

    is_bounded = False


class Null:
    """A provider that has the answer ready, as bytes."""

    def __init__(self, pieces: type[Pieces]) -> None:
        self._pieces = pieces

    async def generate(self, _request: ChatRequest, _ctx: CallContext, /) -> ChatResponse:
        """Not asked."""
        raise NotImplementedError

    async def generate_stream(self, _request: ChatRequest, _ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        """Not asked."""
        raise NotImplementedError
        yield

    def relays(self, _request: RelayRequest, /) -> bool:
        """Everything."""
        return True

    async def relay(self, _request: RelayRequest, _model: str | None, _ctx: CallContext, /) -> Relayed:
        """At once."""
        return Relayed(body=b"{}", summary=SUMMARY)

    async def relay_stream(self, _request: RelayRequest, _model: str | None, _ctx: CallContext, /) -> Pieces:
        """At once."""
        return self._pieces()


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


def _asked(*, stream: bool = False) -> RelayRequest:
    chat = ChatRequest.deferred(lambda: ASK, needs=CHAT)
    return RelayRequest(wire="openai.chat", raw=b"{}", document={}, chat=chat, stream=stream)


async def _relayed(bare: Router, observed: Router) -> dict[str, float]:
    null = Null(Pieces)
    for router in (bare, observed):
        router.add_provider("null", null)

    async def alone() -> int:
        for _ in range(CALLS):
            await null.relay(_asked(), None, CONTEXT)
        return CALLS

    async def times(router: Router, deadline: float | None) -> int:
        for _ in range(CALLS):
            async with router.relay(_asked(), target="null", deadline=deadline):
                pass
        return CALLS

    return await cpu_of_each(
        {
            "provider alone": alone,
            "Router.relay": lambda: times(bare, None),
            "… with one observer": lambda: times(observed, None),
            "… and a deadline": lambda: times(observed, 60.0),
        }
    )


async def _relayed_stream(router: Router) -> dict[str, float]:
    router.add_provider("bounded", Null(Pieces))
    router.add_provider("unbounded", Null(Scopes))

    async def alone() -> int:
        source = Pieces()
        while await source.receive():
            pass
        return EVENTS

    async def read(target: str, deadline: float | None) -> int:
        async with router.relay(_asked(stream=True), target=target, deadline=deadline) as answer:
            assert isinstance(answer, RelayedStream)
            async for _ in answer:
                pass
        return EVENTS

    return await cpu_of_each(
        {
            "source alone": alone,
            "RelayedStream": lambda: read("bounded", None),
            "… with a deadline that the source keeps": lambda: read("bounded", 60.0),
            "… with one that the kernel keeps": lambda: read("unbounded", 60.0),
        }
    )


async def main() -> None:
    """Measure on the backend that is running."""
    plugins = [CounterPlugin()]
    async with Router(_settings(observed=False)) as bare, Router(_settings(observed=True), plugins=plugins) as watched:
        tables = {
            "one call": await _unary(bare, watched),
            "one event of a stream": await _streamed(watched),
            "one relayed call": await _relayed(bare, watched),
            "one piece of a relayed stream": await _relayed_stream(watched),
        }
    for title, figures in tables.items():
        alone = next(iter(figures.values()))
        rows = [
            (name, f"{cpu * 1e6:.2f}", "" if "alone" in name or "bare" in name else f"{(cpu - alone) * 1e6:.2f}")
            for name, cpu in figures.items()
        ]
        print_table(title, ("CPU, µs", "each", "added by the kernel"), rows)


if __name__ == "__main__":
    for backend in sys.argv[1:] or ["asyncio", "trio"]:
        print(f"\n== {backend} ==")
        anyio.run(main, backend=backend)
