"""The admin API without a network, and what it is asked in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from attrs import define, field

from mlo.responses import Health
from mlo.secret import Secret
from mlo_gateway.accounts.config import ControlConfig
from mlo_gateway.accounts.opening import OpenAccounts, open_accounts
from mlo_gateway.accounts.records import OPERATOR
from mlo_gateway.config import GatewayConfig
from mlo_gateway.control.app import create_api, create_control
from mlo_gateway.control.seams import Control
from mlo_ledger.database import Database
from tests.plugins.gateway.accounts.stores import Clock, World, keyed, peopled

__all__ = ["Providers", "Served", "served"]


@define
class Report:
    error: str = ""
    ignored: tuple[str, ...] = ()


@define(slots=False)
class Providers:
    """Two providers, of which one is ill."""

    providers: Mapping[str, object] = field(factory=lambda: {"well": object(), "ill": object()})

    async def health(self, provider: str | None = None) -> Mapping[str, Health]:
        return {"well": Health(healthy=True), "ill": Health(healthy=False, detail="no answer")}


@define
class Served:
    """A client for each role and reach, by name: `owner@gateway`, `viewer@project` and so on."""

    opened: OpenAccounts
    world: World
    control: Control
    clients: dict[str, httpx.AsyncClient] = field(factory=dict)
    secrets: dict[str, str] = field(factory=dict)

    def __getitem__(self, name: str) -> httpx.AsyncClient:
        return self.clients[name]


@asynccontextmanager
async def served(database: Database, *names: str, cors: tuple[str, ...] = ()) -> AsyncIterator[Served]:
    """The admin API over a database with the organizations of `peopled`, and clients with these names."""

    async def reload() -> Report:
        return Report(ignored=("gateway.serve.port",))

    clock = Clock()
    url = Secret(database._engine.url.render_as_string(hide_password=False))
    async with open_accounts(url, GatewayConfig(), clock=clock) as opened:
        control = Control(
            accounts=opened.accounts,
            ring=opened.ring,
            router=Providers(),
            config=ControlConfig(cors_origins=cors),
            reload=reload,
        )
        world = World(database, clock)
        world.accounts = opened.accounts
        await peopled(world)
        found = Served(opened, world, control)
        app = create_control(control)
        for name in names:
            role, _, reach = name.partition("@")
            _, token = await keyed(world, OPERATOR, role=role, reach=reach, scopes=["admin", "inference"])
            found.secrets[name] = token.text
            found.clients[name] = _client(app, {"authorization": f"Bearer {token.text}"})
        found.clients["nobody"] = _client(app, {})
        yield found


def _client(app: Any, headers: Mapping[str, str]) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("192.0.2.1", 5))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway/admin/v1", headers=headers)


def document(control: Control) -> Any:
    from mlo_gateway.control.document import document_of

    return document_of(create_api(control))
