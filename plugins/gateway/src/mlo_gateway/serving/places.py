"""Where the gateway keeps what it writes: asked by ``mlo serve`` and by the commands that work on its database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from mlo.secret import Secret
from mlo.settings import SectionSettings, Settings, section
from mlo_gateway.config import GatewayConfig
from mlo_ledger import served
from mlo_ledger.config import LedgerConfig

__all__ = ["data_folder", "database_url", "ledger_config"]


def data_folder(settings: Settings, config: GatewayConfig, environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the gateway's files, which need not exist; see :func:`mlo_ledger.served.data_folder`."""
    return served.data_folder(settings, config.folder, environ)


def database_url(settings: Settings, config: GatewayConfig, environ: Mapping[str, str] | None = None) -> Secret:
    """The URL of accounts and ledger.

    It is ``database`` of ``[gateway]``, else that of the first observer ``ledger``, else a SQLite file in the data
    folder.

    Raises:
        ConfigError: when the options of the ledger are wrong.
    """
    if config.database is not None:
        return config.database
    ledger = ledger_config(settings, environ)
    if ledger is None:
        return Secret(f"sqlite:///{data_folder(settings, config, environ) / served.DATABASE}")
    if ledger.password is None:
        return Secret(ledger.url)
    try:
        url = make_url(ledger.url)
    except ArgumentError:
        return Secret(ledger.url)  # who opens it tells what is wrong
    return Secret(url.set(password=ledger.password.reveal()).render_as_string(hide_password=False))


def ledger_config(settings: Settings, environ: Mapping[str, str] | None = None) -> LedgerConfig | None:
    """The options of the first observer ``ledger``, if there is one.

    Raises:
        ConfigError: when they are wrong.
    """
    ledger = next((observer for observer in settings.observers.values() if observer.use == "ledger"), None)
    if ledger is None:
        return None
    found = SectionSettings(options=ledger.options, path=ledger.path)
    return section(attrs.evolve(settings, sections={"ledger": found}), "ledger", LedgerConfig, environ=environ)
