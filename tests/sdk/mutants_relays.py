"""Relays that are wrong, one way each. Not collected with the tests: test_contract_mutants.py runs this file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from attrs import frozen

from mlo.api import CallContext, Environment, Provider, ProviderSpec
from mlo.errors import ServerFault
from mlo.events import Event
from mlo.relay import Relayed, RelayRequest, RelaySummary
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse, Usage
from mlo_sdk.testing import Failure, RelayContract, surroundings

surroundings._PATIENCE = 1.5
SUMMARY = RelaySummary(usage=Usage(prompt_tokens=1, completion_tokens=2))


@frozen(kw_only=True)
class Config:
    fail: bool = False


class Source:
    """A stream that keeps the contract."""

    content_type = "text/event-stream"
    is_bounded = False

    def __init__(self, release: Callable[[], None]) -> None:
        self.left = 4
        self._release = release
        self._open = True

    async def receive(self) -> bytes:
        await anyio.sleep(0)
        self.left -= 1
        return b"data: x\n\n" if self.left >= 0 else b""

    def summary(self) -> RelaySummary:
        return SUMMARY

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._release()


class Honest:
    """Keeps the contract; the others change one thing."""

    source: Callable[[Callable[[], None]], Source] = Source

    def __init__(self, config: Config) -> None:
        self._config = config
        self._connections = 0

    def open_connections(self) -> int:
        return self._connections

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        raise NotImplementedError

    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        raise NotImplementedError
        yield

    def relays(self, request: RelayRequest, /) -> bool:
        return request.wire == "openai.chat"

    async def relay(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Relayed:
        await anyio.sleep(0)
        if self._config.fail:
            raise self.failure()
        return Relayed(body=self.body(), summary=self.summary())

    async def relay_stream(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Source:
        await anyio.sleep(0)
        if self._config.fail:
            raise self.failure()
        self._connections += 1
        return type(self).source(self._let_go)

    def _let_go(self) -> None:
        self._connections -= 1

    def body(self) -> bytes:
        return b"{}"

    def summary(self) -> RelaySummary:
        return SUMMARY

    def failure(self) -> Exception:
        return ServerFault("broken")


def spec_of(provider: Callable[[Config], Provider]) -> ProviderSpec[Config]:
    @asynccontextmanager
    async def opened(config: Config, _environment: Environment) -> AsyncIterator[Provider]:
        yield provider(config)

    return ProviderSpec(name="wrong", config=Config, summary="Wrong", open=opened)


class TestHonestRelay(RelayContract):
    spec = spec_of(Honest)

    @pytest.fixture
    def failures(self) -> Mapping[str, Failure]:
        return {"broken": Failure(error=ServerFault, table={"fail": True})}


class NoRelay:
    generate = Honest.generate
    generate_stream = Honest.generate_stream

    def __init__(self, config: Config) -> None:
        pass


class TestNoRelay(RelayContract):
    spec = spec_of(NoRelay)


class TakesAnyWire(Honest):
    def relays(self, request: RelayRequest, /) -> bool:
        return True


class TestTakesAnyWire(RelayContract):
    spec = spec_of(TakesAnyWire)


class ChangesDocument(Honest):
    async def relay(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Relayed:
        document: Any = request.document
        document["model"] = "mine"
        return Relayed(body=b"{}", summary=SUMMARY)


class TestChangesDocument(RelayContract):
    spec = spec_of(ChangesDocument)


class TellsNoCounts(Honest):
    def summary(self) -> RelaySummary:
        return RelaySummary()


class TestTellsNoCounts(RelayContract):
    spec = spec_of(TellsNoCounts)


class GivesNoJson(Honest):
    def body(self) -> bytes:
        return b"<html>"


class TestGivesNoJson(RelayContract):
    spec = spec_of(GivesNoJson)


class FailsAfterTheEnd(Honest):
    class source(Source):  # noqa: N801 - takes the place of a method
        async def receive(self) -> bytes:
            if self.left < 0:
                raise ServerFault("over")
            return await super().receive()


class TestFailsAfterTheEnd(RelayContract):
    spec = spec_of(FailsAfterTheEnd)


class KeepsTheConnection(Honest):
    class source(Source):  # noqa: N801 - takes the place of a method
        async def aclose(self) -> None:
            pass


class TestKeepsTheConnection(RelayContract):
    spec = spec_of(KeepsTheConnection)


class ScopeBetweenCalls(Honest):
    class source(Source):  # noqa: N801 - takes the place of a method
        scope: anyio.CancelScope | None = None

        async def receive(self) -> bytes:
            if self.scope is None:
                self.scope = anyio.CancelScope(deadline=anyio.current_time() + 60)
                self.scope.__enter__()
            return await super().receive()

        async def aclose(self) -> None:
            await super().aclose()
            if self.scope is not None:
                self.scope.__exit__(None, None, None)
                self.scope = None


class TestScopeBetweenCalls(RelayContract):
    spec = spec_of(ScopeBetweenCalls)


class ScopeOverTasks(ScopeBetweenCalls):
    pass


class TestScopeOverTasks(RelayContract):
    spec = spec_of(ScopeOverTasks)


class UntypedFailure(Honest):
    def failure(self) -> Exception:
        return ConnectionError("reset")


class TestUntypedFailure(RelayContract):
    spec = spec_of(UntypedFailure)

    @pytest.fixture
    def failures(self) -> Mapping[str, Failure]:
        return {"broken": Failure(error=ServerFault, table={"fail": True})}


class SwallowsCancellationOfRelay(Honest):
    async def relay(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Relayed:
        try:
            await anyio.sleep(0.01)
        except anyio.get_cancelled_exc_class():
            pass
        return Relayed(body=b"{}", summary=SUMMARY)


class TestSwallowsCancellationOfRelay(RelayContract):
    spec = spec_of(SwallowsCancellationOfRelay)
