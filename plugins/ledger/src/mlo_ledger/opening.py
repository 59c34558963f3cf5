"""Opening the ledger: tables, journals that others left, the thread; and closing it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
from sqlalchemy.engine import make_url

from mlo.api import Environment
from mlo.errors import ConfigError

from .admission import Admission
from .chores import Chores
from .config import BudgetConfig, LedgerConfig
from .costing import Costing, imported_prices
from .database import Database
from .errors import DatabaseUnavailable, SchemaMissing
from .events import Settlement
from .journal import Journal
from .limits import Limit
from .migrate import check_version, migrate_now
from .observer import LedgerObserver
from .recovery import recover
from .state import Watch
from .writer import Writer

__all__ = ["limits_of", "open_database", "open_ledger"]

_NANO = 1_000_000_000


@asynccontextmanager
async def open_ledger(config: LedgerConfig, environment: Environment) -> AsyncIterator[LedgerObserver]:
    """Make the tables, take over what processes before this one left, and begin.

    Raises:
        ConfigError: when the options contradict each other, or the journal's folder cannot be written.
        SchemaTooNew: when the tables are newer than this code.
        DatabaseUnavailable: when the policy is strict and the database is not there.
    """
    observer = await anyio.to_thread.run_sync(partial(_opened, config, environment.path, environment.instance))
    try:
        yield observer
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(observer.close)


def open_database(config: LedgerConfig, path: str, *, create: bool = True) -> Database:
    """The database of these options; ``path`` is where they stand.

    Raises:
        ConfigError: when the URL is none, or holds a password.
    """
    database = Database(config.url, strict=config.policy == "strict", create=create, path=f"{path}.url")
    if config.password is None:
        return database
    url = make_url(config.url).set(password=config.password.reveal())
    return Database(url.render_as_string(hide_password=False), path=f"{path}.url")


def limits_of(budgets: Iterable[BudgetConfig], path: str) -> list[Limit]:
    """The limits that budgets stand for.

    Raises:
        ConfigError: when one names nobody, or several at once, or limits nothing.
    """
    return [_limit(budget, f"{path}.budgets[{place}]") for place, budget in enumerate(budgets)]


def _limit(budget: BudgetConfig, path: str) -> Limit:
    named = {kind: name for kind in ("project", "key", "organization") if (name := getattr(budget, kind)) is not None}
    if len(named) != 1:
        raise ConfigError(path, "name exactly one of project, key, organization", hint='project = "*" for all calls')
    if budget.requests is None and budget.roubles is None:
        raise ConfigError(path, "limits nothing", hint='set requests, or roubles = "100.00"')
    ((kind, name),) = named.items()
    return Limit(
        scope="all" if name == "*" else f"{kind}:{name}",
        requests=budget.requests,
        nano=None if budget.roubles is None else _nano(budget.roubles, f"{path}.roubles"),
        period=budget.period,
        time_zone=budget.time_zone,
        overage=budget.overage,
    )


def _nano(roubles: str, path: str) -> int:
    try:
        amount = Decimal(roubles) * _NANO
    except InvalidOperation as error:
        raise ConfigError(path, f"{roubles!r} is no amount", hint='such as "1990" or "99.90"') from error
    if not amount.is_finite() or amount != amount.to_integral_value() or not 0 <= amount < 1 << 63:
        raise ConfigError(path, f"{roubles!r} cannot be counted", hint="from 0, with at most nine decimals")
    return int(amount)


def _opened(config: LedgerConfig, path: str, name: str) -> LedgerObserver:
    if config.features == "hash" and not config.features_key:
        raise ConfigError(f"{path}.features_key", "a hash of prompts needs a key", hint="features_key = env:NAME")
    database = open_database(config, path)
    watch = Watch(config.policy, name)
    admission, costing = Admission(owner := secrets.token_hex(8)), Costing()
    admission.put(limits_of(config.budgets, path))
    is_ready = _prepare(config, database, watch, costing, path)
    observer = LedgerObserver(config, database, admission, watch, costing)
    try:
        journal = Journal(config.folder, owner, observer.carried, limit=config.journal_limit)
    except OSError as error:
        reason = f"the folder {str(config.folder)!r} cannot be written: {error.strerror}"
        raise ConfigError(f"{path}.journal", reason, hint="name another folder of this machine") from error
    chores = Chores(database, config.folder, owner, costing, config.keep_days)
    chores.watch(admission, watch)

    def stored(settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            if settlement.prices:
                costing.stored(settlement.prices)

    def prepare() -> None:
        if not _prepare(config, database, watch, costing, path):
            raise DatabaseUnavailable(watch.state.database_error or "the database does not serve")

    prepares = None if is_ready else prepare
    observer.begin(journal, Writer(database, journal, admission, watch, chores, stored, prepare=prepares))
    return observer


def _prepare(config: LedgerConfig, database: Database, watch: Watch, costing: Costing, path: str) -> bool:
    """Tables, orphans and prices; without the database they have to wait, if the policy allows it."""
    folder: Path = config.folder
    try:
        if config.migrate:
            migrate_now(database)
        else:
            database.read_now(check_version)
        if folder.is_dir():
            watch.count(indeterminate=recover(database, folder))
        costing.use(database.read_now(imported_prices))
    except SchemaMissing as error:
        raise ConfigError(f"{path}.migrate", str(error), hint="mlo ledger migrate, or migrate = true") from error
    except DatabaseUnavailable as error:
        if config.policy == "strict":
            raise
        watch.database(str(error))
        return False
    return True
