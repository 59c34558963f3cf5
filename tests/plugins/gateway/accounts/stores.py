"""Databases of accounts for tests, a clock that stands still, and what most tests begin with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
from attrs import define, field
from sqlalchemy import Connection, update

from mlo_gateway.accounts.acting import Acting, Looking
from mlo_gateway.accounts.keys import create_key
from mlo_gateway.accounts.organizations import create_organization
from mlo_gateway.accounts.plans import Catalogue
from mlo_gateway.accounts.projects import create_project
from mlo_gateway.accounts.records import OPERATOR, Actor, ApiKey
from mlo_gateway.accounts.schema import gateway_state, metadata
from mlo_gateway.accounts.service import Accounts
from mlo_gateway.accounts.tokens import NewToken
from mlo_ledger.database import Database

__all__ = ["START", "Clock", "World", "actor", "bearer", "emptied", "keyed", "peopled"]

T = TypeVar("T")
START = 1_795_000_000.0


@define
class Clock:
    """Unix time that moves when it is told to."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    @property
    def micros(self) -> int:
        return int(self.now * 1_000_000)


@define
class World:
    """Accounts on a database, with a clock."""

    database: Database
    clock: Clock = field(factory=Clock)
    catalogue: Catalogue = Catalogue()
    accounts: Accounts = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.accounts = Accounts(self.database, self.catalogue, clock=self.clock)

    async def act(self, function: Callable[[Acting], T], who: Actor = OPERATOR) -> T:
        return await self.accounts.act(who, function)

    async def look(self, function: Callable[[Looking], T], who: Actor = OPERATOR) -> T:
        return await self.accounts.look(who, function)

    async def key(self, **facts: Any) -> tuple[ApiKey, NewToken]:
        """A new key of the project `shop`, or of the one that the facts name."""
        return await keyed(self, **facts)


def emptied(connection: Connection) -> None:
    """The tables as a migration leaves them."""
    for table in reversed(metadata.sorted_tables):
        if table is not gateway_state:
            connection.execute(table.delete())
    connection.execute(update(gateway_state).values(change=0, audit_seq=0, audit_head="0" * 64))


async def peopled(world: World) -> World:
    """Two organizations: `acme` with the projects `shop` and `lab`, `rival` with `den`."""
    for organization, projects in (("acme", ("shop", "lab")), ("rival", ("den",))):
        await world.act(lambda act, name=organization: create_organization(act, name=name))  # type: ignore[misc]
        for project in projects:
            await world.act(
                lambda act, name=project, owner=organization: create_project(act, name=name, organization=owner)  # type: ignore[misc]
            )
    return world


async def keyed(world: World, who: Actor = OPERATOR, **facts: Any) -> tuple[ApiKey, NewToken]:
    return await world.act(lambda act: create_key(act, **{"project_name": "shop", **facts}), who)


def actor(role: str, reach: str, organization: str = "acme", project: str = "shop", **facts: Any) -> Actor:
    made: dict[str, Any] = {"role": role, "reach": reach, "organization": organization, "project": project}
    return attrs.evolve(Actor(name=f"test:{role}", **made), **facts)


def bearer(token: NewToken | str) -> bytes:
    return f"Bearer {token if isinstance(token, str) else token.text}".encode()


def copy_of(template: Path, folder: Path) -> Database:
    """A SQLite database like the template."""
    shutil.copy(template, folder / "mlo.db")
    return Database(f"sqlite:///{folder / 'mlo.db'}")


def names(items: Sequence[Any]) -> list[str]:
    return [item.name for item in items]
