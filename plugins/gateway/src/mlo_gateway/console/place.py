"""Which database the commands work on."""

from __future__ import annotations

import getpass
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
from sqlalchemy.engine import make_url

from mlo import Router
from mlo.errors import ConfigError
from mlo.secret import Secret
from mlo.settings import section
from mlo_gateway.accounts.opening import catalogue_of, open_database, prepare
from mlo_gateway.accounts.records import OPERATOR, Actor
from mlo_gateway.accounts.service import Accounts
from mlo_gateway.config import GatewayConfig
from mlo_gateway.serving.places import database_url
from mlo_ledger.database import Database

from .texts import text

__all__ = ["opened", "operator"]


@asynccontextmanager
async def opened(arguments: Namespace, *, create: bool) -> AsyncIterator[Accounts]:
    """The accounts that the arguments name, or the configuration. With ``create`` their database is made if need be.

    Raises:
        ConfigError: when the configuration is wrong, or there is no such database.
        DatabaseUnavailable: when it cannot be reached.
    """
    settings = Router.from_file().settings
    config = section(settings, "gateway", GatewayConfig)
    url = database_url(settings, config) if arguments.database is None else Secret(arguments.database)
    database = open_database(url)
    try:
        _see_to_folder(database, url, create=create)
        await prepare(database)
        yield Accounts(database, catalogue_of(config))
    finally:
        database.close()


def operator() -> Actor:
    """Who runs the command, as the audit log will say."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        name = "?"
    return attrs.evolve(OPERATOR, name=f"cli:{name}", address="local")


def _see_to_folder(database: Database, url: Secret, *, create: bool) -> None:
    if database.dialect != "sqlite":
        return
    file = Path(make_url(url.reveal()).database or "")
    if create:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.exists():
        raise ConfigError("gateway.database", text("no database", place=file), hint=text("no database hint"))
