"""Strategies, auth schemes and observers that are wrong, one way each. Run by test_contract_mutants.py."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import frozen

from mlo.api import (
    AsyncSteps,
    AuthScheme,
    AuthSpec,
    Credentials,
    Environment,
    Observer,
    ObserverSpec,
    Strategy,
    StrategySpec,
)
from mlo.errors import AuthFailed
from mlo.records import AttemptFailed, CallFinished, CallStarted, Record
from mlo.routing import Outcome, Request, Step, Target
from mlo.secret import Secret
from mlo_sdk.testing import AuthContract, Issuer, ObserverContract, StrategyContract, surroundings

surroundings._PATIENCE = 1.5

Route = Generator[Step, Sequence[Outcome], None]


@frozen
class NoOptions:
    pass


class InOrder:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        for target in targets:
            yield Step((target,))


def strategy_spec(strategy: Callable[[], Strategy]) -> StrategySpec[NoOptions]:
    return StrategySpec(name="wrong", config=NoOptions, summary="Wrong", build=lambda _options: strategy())


class TestHonestStrategy(StrategyContract):
    published = False
    spec = strategy_spec(InOrder)


class Asking:
    """May wait, since it is an asynchronous generator."""

    async def route(self, request: Request, targets: Sequence[Target], /) -> AsyncSteps:
        await anyio.sleep(0)
        for target in targets:
            yield Step((target,))


class TestHonestAsyncStrategy(StrategyContract):
    published = False
    does_io = True
    spec = strategy_spec(Asking)


class NotAGenerator:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        return [Step((target,)) for target in targets]  # type: ignore[return-value]


class WrongChance:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        for target in targets:
            yield Step((target,), probability=0.0)


class TestWrongChance(StrategyContract):
    published = False
    spec = strategy_spec(WrongChance)


class ScoresStrangers:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        for target in targets:
            yield Step((target,), scores={"stranger": 1.0})


class TestScoresStrangers(StrategyContract):
    published = False
    spec = strategy_spec(ScoresStrangers)


class TestNotAGenerator(StrategyContract):
    published = False
    spec = strategy_spec(NotAGenerator)


class NeverEnds:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        while True:
            yield Step((targets[0],))


class TestNeverEnds(StrategyContract):
    published = False
    spec = strategy_spec(NeverEnds)


class RemembersTargets:
    """Goes on proposing the targets of its first call."""

    def __init__(self) -> None:
        self._targets: Sequence[Target] = ()

    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        self._targets = self._targets or tuple(targets)
        for target in self._targets:
            yield Step((target,))


class TestRemembersTargets(StrategyContract):
    published = False
    spec = strategy_spec(RemembersTargets)


class OnePlaceForAllCalls:
    """Keeps its place in the list on itself, so that calls at once skip each other's targets."""

    def __init__(self) -> None:
        self._place = 0

    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        self._place = 0
        while self._place < len(targets):
            self._place += 1
            yield Step((targets[self._place - 1],))


class TestOnePlaceForAllCalls(StrategyContract):
    published = False
    spec = strategy_spec(OnePlaceForAllCalls)


class ReadsFile:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        if Path(os.devnull).read_text("utf-8"):
            return
        for target in targets:
            yield Step((target,))


class TestReadsFile(StrategyContract):
    published = False
    spec = strategy_spec(ReadsFile)


class NeedsTwo:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        first, second, *rest = targets
        yield Step((first, second), stagger=0.1)
        for target in rest:
            yield Step((target,))


class TestNeedsTwo(StrategyContract):
    published = False
    spec = strategy_spec(NeedsTwo)


class GivesUpEarly:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        yield Step((targets[0],))


class TestGivesUpEarly(StrategyContract):
    published = False
    spec = strategy_spec(GivesUpEarly)


class TakesTargetsAway:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        left: Any = targets
        while left:
            yield Step((left.pop(0),))


class TestTakesTargetsAway(StrategyContract):
    published = False
    spec = strategy_spec(TakesTargetsAway)


class CountsOnOutcomes:
    def route(self, request: Request, targets: Sequence[Target], /) -> Route:
        for target in targets:
            outcomes = yield Step((target,))
            if outcomes[0].error is None:
                return


class TestCountsOnOutcomes(StrategyContract):
    published = False
    spec = strategy_spec(CountsOnOutcomes)


@frozen
class KeyConfig:
    key: Secret = Secret("made-up-auth-key")


class Server:
    """Gives out tokens, slowly enough for callers to meet."""

    def __init__(self) -> None:
        self.issued = 0
        self.refusing = False

    def refuse(self) -> None:
        self.refusing = True

    def allow(self) -> None:
        self.refusing = False

    async def token(self) -> str:
        self.issued += 1
        number = self.issued
        await anyio.sleep(0.01)
        if self.refusing:
            raise AuthFailed("refused")
        return f"made-up-token-{number}"


class Renewing:
    """Renews for each caller that finds no token: no single flight."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.held: Credentials | None = None

    async def credentials(self, stale: int | None = None) -> Credentials:
        if self.held is None or (stale is not None and stale >= self.held.generation):
            await self.renew()
        assert self.held is not None
        return self.held

    async def renew(self) -> None:
        headers = {"Authorization": f"Bearer {await self.server.token()}"}
        self.held = Credentials(headers=headers, generation=self.server.issued)


class Locked(Renewing):
    """A lock, and the generation compared below it; but failures are not shared."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.lock = anyio.Lock()

    async def credentials(self, stale: int | None = None) -> Credentials:
        async with self.lock:
            return await super().credentials(stale)


class NotCompared(Locked):
    """Renews whenever somebody says that his were rejected, even when there are newer ones by then."""

    async def credentials(self, stale: int | None = None) -> Credentials:
        async with self.lock:
            if self.held is None or stale is not None:
                await self.renew()
            assert self.held is not None
            return self.held


class NotHandedOver(Renewing):
    """Waits for whoever renews, who may have been cancelled."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.done: anyio.Event | None = None

    async def credentials(self, stale: int | None = None) -> Credentials:
        if self.held is None and self.done is not None:
            await self.done.wait()
        elif self.held is None:
            self.done = anyio.Event()
            await self.renew()
            self.done.set()
        assert self.held is not None
        return self.held


class Contract(AuthContract):
    published = False
    scheme: type[Renewing]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        @asynccontextmanager
        async def opening(_config: KeyConfig, _environment: Environment) -> AsyncIterator[AuthScheme]:
            yield cls.scheme(SERVERS[-1])

        cls.spec = AuthSpec(name="wrong", config=KeyConfig, summary="Wrong", open=opening)
        super().__init_subclass__(**kwargs)

    @pytest.fixture(autouse=True)
    def issuer(self) -> Iterator[Issuer]:
        SERVERS.append(Server())
        yield SERVERS[-1]
        SERVERS.pop()


SERVERS: list[Server] = []


class TestRenewsForEach(Contract):
    scheme = Renewing


class TestFailsOneByOne(Contract):
    scheme = Locked


class TestNotCompared(Contract):
    scheme = NotCompared


class TestNotHandedOver(Contract):
    scheme = NotHandedOver


class ShownKey:
    def __init__(self, config: KeyConfig) -> None:
        self._key = config.key.reveal()

    def __repr__(self) -> str:
        return f"ShownKey({self._key})"

    async def credentials(self, stale: int | None = None) -> Credentials:
        return Credentials(headers={"X-Key": self._key})


@asynccontextmanager
async def open_shown_key(config: KeyConfig, _environment: Environment) -> AsyncIterator[AuthScheme]:
    yield ShownKey(config)


class TestShownKey(AuthContract):
    published = False
    spec = AuthSpec(name="wrong", config=KeyConfig, summary="Wrong", open=open_shown_key)


@frozen
class ObserverConfig:
    path: str = os.devnull


class Careless:
    """Keeps the contract but for what the subclasses do."""

    wants: frozenset[type[Record]] = frozenset({CallStarted, AttemptFailed, CallFinished})

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: list[str] = []

    def on(self, record: Record, /) -> None:
        self.lines.append(self.line(record))

    def line(self, record: Record) -> str:
        return type(record).__name__

    def close(self) -> None:
        Path(self.path).write_text("\n".join(self.lines), "utf-8")


class WaitsInOn(Careless):
    def on(self, record: Record, /) -> None:
        time.sleep(0.0001)


class RaisesOnErrors(Careless):
    def line(self, record: Record) -> str:
        return str(record.error) if isinstance(record, AttemptFailed) else ""


class WantsList(Careless):
    wants = [CallStarted]  # type: ignore[assignment]  # noqa: RUF012


class AsyncOn(Careless):
    async def on(self, record: Record, /) -> None:  # type: ignore[override]
        self.lines.append(self.line(record))


class LosesTheEnd(Careless):
    def close(self) -> None:
        pass


class PassesSecretsOn(Careless):
    def line(self, record: Record) -> str:
        return repr(record.metadata) if isinstance(record, CallStarted) else ""


def observer_spec(observer: type[Careless]) -> ObserverSpec[ObserverConfig]:
    @asynccontextmanager
    async def opening(config: ObserverConfig, _environment: Environment) -> AsyncIterator[Observer]:
        made = observer(config.path)
        yield made
        made.close()

    return ObserverSpec(name="wrong", config=ObserverConfig, summary="Wrong", open=opening)


class Watching(ObserverContract):
    published = False

    @pytest.fixture
    def table(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"path": str(tmp_path / "out")}

    @pytest.fixture
    def emitted(self, tmp_path: Path) -> Callable[[], str]:
        return lambda: (tmp_path / "out").read_text("utf-8") if (tmp_path / "out").exists() else ""


class TestHonestObserver(Watching):
    spec = observer_spec(Careless)


class TestWaitsInOn(Watching):
    spec = observer_spec(WaitsInOn)


class TestRaisesOnErrors(Watching):
    spec = observer_spec(RaisesOnErrors)


class TestWantsList(Watching):
    spec = observer_spec(WantsList)


class TestAsyncOn(Watching):
    spec = observer_spec(AsyncOn)


class TestLosesTheEnd(Watching):
    spec = observer_spec(LosesTheEnd)


class TestPassesSecretsOn(Watching):
    spec = observer_spec(PassesSecretsOn)
