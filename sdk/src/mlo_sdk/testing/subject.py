"""The provider under test, and the ways in which the contract uses it."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
from attrs import field, frozen

from mlo.api import Environment, Provider, ProviderSpec
from mlo.events import Event
from mlo.requests import ChatRequest

from .demands import ContractBroken, demand
from .surroundings import build, context, eventually, hosted, in_own_task, patient
from .watching import GeneratorWatch, cancel_at, secrets_in

__all__ = ["Failure", "Subject", "cancel_everywhere", "drain", "leave_early", "read_in_three_tasks"]

_MOST_SUSPENSIONS = 40


@frozen(kw_only=True)
class Failure:
    """A way to make the provider fail, and the error that has to come out.

    ``table`` is added to the instance's; ``prepare`` is called before the call, to tell an emulator what to do.
    ``streams`` is whether a stream fails the same way.
    """

    error: type[Exception]
    table: Mapping[str, Any] = field(factory=dict)
    prompt: str = "Привет"
    prepare: Callable[[], object] | None = None
    streams: bool = True


@frozen(kw_only=True)
class Subject:
    """A provider's spec with all that is needed to open it."""

    spec: ProviderSpec[Any]
    table: Mapping[str, Any] = field(repr=False)
    environment: Environment
    model: str | None = None

    def config(self, **more: Any) -> Any:
        """The configuration, ``more`` keys of the table included."""
        return build(self.spec, {**self.table, **more})

    @asynccontextmanager
    async def open(self, **more: Any) -> AsyncIterator[Provider]:
        """The open provider; fails the check when all that is done with it takes unreasonably long."""
        async with patient(), hosted(self.spec.open, self.config(**more), self.environment) as provider:
            yield provider

    def request(self, prompt: str, **fields: Any) -> ChatRequest:
        """A request of one message."""
        return ChatRequest(messages=ChatRequest.of(prompt).messages, model=self.model, **fields)

    async def secrets(self) -> frozenset[str]:
        """Every text that must not be shown."""
        scheme = await self.environment.auth("none")
        return secrets_in(self.config()) | secrets_in(scheme)


async def drain(provider: Provider, request: ChatRequest) -> list[Event]:
    """All events of a stream.

    Raises:
        ContractBroken: when the source leaves a deadline of its own in force for its reader.
    """
    events = []
    deadline = anyio.current_effective_deadline()
    async with aclosing(provider.generate_stream(request, context())) as stream:
        async for event in stream:
            demand(
                anyio.current_effective_deadline() in {deadline, -math.inf},  # -inf: the call itself was cancelled
                "a cancel scope is open at a yield of generate_stream(): its deadline would hit the reader's code; "
                "close every scope before yielding",
            )
            events.append(event)
    return events


async def leave_early(provider: Provider, request: ChatRequest, events: int) -> tuple[str, ...]:
    """Close a stream after some events; the generators inside it that stay open."""
    packages = frozenset({type(provider).__module__.partition(".")[0], "mlo_sdk"})
    with GeneratorWatch(packages) as watch:
        stream = provider.generate_stream(request, context())
        for _ in range(events):
            await anext(stream)
        await stream.aclose()
        del stream
        return watch.left_open()


async def read_in_three_tasks(provider: Provider, request: ChatRequest) -> list[Event]:
    """Start a stream in one task, read on in a second, close it in a third."""
    stream = provider.generate_stream(request, context())
    events: list[Event] = []

    async def read() -> None:
        events.append(await anext(stream))

    try:
        for step in (read, read, stream.aclose):
            await in_own_task(step)
    except RuntimeError as error:
        raise ContractBroken(
            "a stream started in one task cannot be read or closed in another: a cancel scope or a task group is open "
            f"at a yield of generate_stream() ({error})"
        ) from error
    return events


async def cancel_everywhere(
    call: Callable[[], Coroutine[Any, Any, object]], what: str, connections: Callable[[], int | None]
) -> None:
    """Cancel ``call`` at each place where it suspends, one after the other.

    Raises:
        ContractBroken: when a cancellation is swallowed or turned into an error, or a connection stays in use.
    """
    for suspension in range(1, _MOST_SUSPENSIONS):
        report = await cancel_at(call, suspension)
        demand(
            report.error is None or not report.swallowed,
            f"cancelled at its suspension {suspension}, {what} raised {report.error!r}: let cancellation through",
        )
        demand(
            not report.swallowed,
            f"cancelled at its suspension {suspension}, {what} went on as if nothing had happened: "
            "do not catch BaseException, and re-raise what anyio.get_cancelled_exc_class() names",
        )
        demand(
            await eventually(lambda: not connections()),
            f"cancelled at its suspension {suspension}, {what} left {connections()} connection(s) in use",
        )
        if not report.reached:
            return
