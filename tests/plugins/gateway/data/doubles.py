"""Accounts, limits and observers for tests, in as little as the contracts demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from attrs import define, field

from mlo import Router
from mlo.api import ObserverSpec
from mlo.hookspecs import hookimpl
from mlo.records import Record
from mlo.settings import ComponentSettings, Settings
from mlo_gateway.contracts import GatewayError, Header, Principal, Unwatch

__all__ = ["Counter", "Keys", "Notes", "noted_router"]


@define
class Keys:
    """An authenticator over a table of keys; ``slow`` ones have to be looked up."""

    principals: dict[bytes, Principal]
    slow: bool = False
    watched: list[Callable[[str], None]] = field(factory=list)

    def authenticate(self, authorization: bytes | None, /) -> Principal | Awaitable[Principal]:
        return self._later(authorization) if self.slow else self._find(authorization)

    def watch(self, principal: Principal, revoked: Callable[[str], None], /) -> Unwatch:
        self.watched.append(revoked)
        return lambda: self.watched.remove(revoked) if revoked in self.watched else None

    async def _later(self, authorization: bytes | None) -> Principal:
        return self._find(authorization)

    def _find(self, authorization: bytes | None) -> Principal:
        found = self.principals.get(authorization or b"")
        if found is None:
            raise GatewayError(401, "invalid_api_key", "authentication_error", "Incorrect API key provided.")
        return found


@define
class Counter:
    """A limiter that lets ``most`` requests in at a time and writes down what they say; it is its own ticket."""

    most: int = 1_000_000
    inside: int = 0
    estimated: list[int] = field(factory=list)
    used: list[int | None] = field(factory=list)
    headers: tuple[Header, ...] = ((b"x-ratelimit-limit-requests", b"60"), (b"x-ratelimit-remaining-requests", b"59"))

    def enter(self, principal: Principal, tokens: int, /) -> Counter:
        if self.inside >= self.most:
            raise GatewayError(
                429,
                "rate_limit_exceeded",
                "rate_limit_error",
                "Too many requests.",
                retry_after=0.25,
                details={"scope": "key"},
            )
        self.inside += 1
        self.estimated.append(tokens)
        return self

    def leave(self, tokens: int | None, /) -> None:
        self.inside -= 1
        self.used.append(tokens)


@define(eq=False)
class Notes:
    """An observer that keeps what it is told, and a plugin that offers itself; ``refuse`` is raised to every call."""

    kinds: frozenset[type[Record]]
    records: list[Any] = field(factory=list)
    refuse: Exception | None = None

    @property
    def wants(self) -> frozenset[type[Record]]:
        return self.kinds

    def on(self, record: Record, /) -> None:
        self.records.append(record)

    def admit(self, call: Any, request: Any, /) -> None:
        if self.refuse is not None:
            raise self.refuse

    @hookimpl
    def mlo_observers(self) -> list[ObserverSpec[Any]]:
        @asynccontextmanager
        async def open_(_config: object, _environment: object) -> AsyncIterator[Notes]:
            yield self

        return [ObserverSpec(name="notes", config=Nothing, open=open_)]


@define
class Nothing:
    """No options."""


def noted_router(notes: Notes) -> Router:
    """A router that tells ``notes``."""
    settings = Settings(observers={"notes": ComponentSettings(use="notes", path="observers.notes")})
    return Router(settings, plugins=[notes])
