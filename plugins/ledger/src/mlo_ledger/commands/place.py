"""Which ledger a command is about, and how it is opened: to read it, nothing is ever created."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection
from sqlalchemy import text as sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mlo.errors import ConfigError
from mlo_ledger.database import Database
from mlo_ledger.migrate import check_version

from .texts import text

if TYPE_CHECKING:
    from mlo.settings import ComponentSettings, Settings

__all__ = ["chosen_database", "reading", "snapshot", "writing"]

T = TypeVar("T")
_PLUGIN = "ledger"


def chosen_database(options: argparse.Namespace, *, create: bool = False) -> Database:
    """The database that the options of :func:`mlo_ledger.commands.options.place_options` name; not yet connected.

    Raises:
        ConfigError: when the configuration is wrong or names no ledger, or where there should be a file and is none.
    """
    if options.database is not None:
        url, path = _as_url(options.database), "--database"
    else:
        from mlo import Router  # noqa: PLC0415 - a database that is named needs no configuration

        settings = Router.from_file(options.config, profile=options.profile).settings
        url, path = _configured_place(settings, options.observer)
    if not create:
        _check_file(url, path)
    return Database(url, create=create, path=path)


def reading(options: argparse.Namespace, function: Callable[[Connection], T]) -> T:
    """The result of ``function``, which sees one state of the ledger however much is written meanwhile.

    Raises:
        ConfigError: as :func:`chosen_database`.
        SchemaMissing: when the ledger has no tables of this version.
        SchemaTooNew: when its tables are of a newer one.
        DatabaseUnavailable: when it cannot be read.
    """
    database = chosen_database(options)
    try:
        return database.read_now(lambda connection: function(snapshot(connection)))
    finally:
        database.close()


def writing(options: argparse.Namespace, function: Callable[[Connection], T]) -> T:
    """The result of ``function`` in a transaction that may write.

    Raises:
        ConfigError: as :func:`chosen_database`.
        SchemaMissing: when the ledger has no tables of this version.
        SchemaTooNew: when its tables are of a newer one.
        DatabaseUnavailable: when it cannot be written.
    """
    database = chosen_database(options)

    def work(connection: Connection) -> T:
        check_version(connection)
        return function(connection)

    try:
        return database.write_now(work)
    finally:
        database.close()


def snapshot(connection: Connection) -> Connection:
    """The same connection once it sees one state of the tables only, and these are ours."""
    if connection.dialect.name == "postgresql":
        connection.execute(sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    check_version(connection)
    return connection


def _configured_place(settings: Settings, name: str | None) -> tuple[str, str]:
    """The database and where the configuration says so: an observer, or a gateway, which needs none."""
    if name is None and all(found.use != _PLUGIN for found in settings.observers.values()):
        from mlo_ledger.served import served_url  # noqa: PLC0415 - as above

        url = served_url(settings)
        if url is not None:
            return url, "gateway.database"
    observer = _observer(settings, name)
    return _configured(settings, observer), f"{observer.path}.url"


def _observer(settings: Settings, name: str | None) -> ComponentSettings:
    mine = {each: found for each, found in settings.observers.items() if found.use == _PLUGIN}
    if name is not None and name not in mine:
        raise _fault("--observer", text("no observer", name=name), ", ".join(mine), settings)
    if not mine:
        raise _fault("observers", text("no ledger"), text("no ledger hint"), settings)
    if name is None and len(mine) > 1:
        raise _fault("observers", text("several ledgers", names=_listed(mine)), text("several ledgers hint"), settings)
    return mine[name or next(iter(mine))]


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names))


def _fault(path: str, reason: str, hint: str, settings: Settings) -> ConfigError:
    return ConfigError(path, reason, hint=hint, source=settings.source)


def _configured(settings: Settings, observer: ComponentSettings) -> str:
    """The database of an observer's table, references followed."""
    from attrs import evolve  # noqa: PLC0415 - as above

    from mlo.settings import SectionSettings, section  # noqa: PLC0415
    from mlo_ledger.config import LedgerConfig  # noqa: PLC0415

    table = SectionSettings(options=observer.options, path=observer.path)
    config = section(evolve(settings, sections={_PLUGIN: table}), _PLUGIN, LedgerConfig)
    if config.password is None:
        return config.url
    try:
        url = make_url(config.url)
    except ArgumentError:
        return config.url  # said by whoever opens it
    return url.set(password=config.password.reveal()).render_as_string(hide_password=False)


def _as_url(named: str) -> str:
    """The URL of a file, or ``named`` as it is where it is one."""
    if "://" in named:
        return named
    return URL.create("sqlite", database=named).render_as_string(hide_password=False)


def _check_file(url: str, path: str) -> None:
    """See that there is a file where one is meant.

    Raises:
        ConfigError: when there is none.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        return  # said by whoever opens it, without the password
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
        reason = text("no database", place=parsed.database)
        raise ConfigError(path, reason, hint=text("no database hint"))
