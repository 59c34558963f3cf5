"""SQLite or PostgreSQL behind one interface: functions of a connection, each in a thread and in one transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import anyio
import anyio.to_thread
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from mlo.errors import ConfigError

from .errors import DatabaseUnavailable

__all__ = ["Database", "Dialect"]

Dialect: TypeAlias = Literal["sqlite", "postgresql"]

T = TypeVar("T")
_BUSY_MS = 5_000
_CONNECT_S = 5
_WRITES = "mlo_writes"
_OF_THE_FILE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})


class Database:
    """A database by its URL: ``sqlite:///ledger.db``, ``postgresql://user@host/name``.

    Nothing is connected before it is used. The password is in no ``repr`` and no error. ``strict`` makes SQLite wait
    for the disk at each commit, so that no power failure takes anything back; ``create`` lets it make the file.
    """

    def __init__(self, url: str, *, strict: bool = False, create: bool = True, path: str = "url") -> None:
        parsed = _parsed(url, path)
        self.dialect: Dialect = "sqlite" if parsed.get_backend_name() == "sqlite" else "postgresql"
        self.shown = parsed.set(query={}).render_as_string(hide_password=True)
        # SQLite knows one writer at a time: those of this process wait for each other here, in turn and not in vain
        self._turn = threading.Lock() if self.dialect == "sqlite" else None
        self._engine = _sqlite(parsed, strict=strict, create=create) if self._turn else _postgresql(parsed)
        driver = self._engine.dialect.loaded_dbapi
        # the driver's own errors come from where its cursor is used directly
        self._gone: tuple[type[Exception], ...] = (
            *(OperationalError, InterfaceError, InternalError, PoolTimeout),
            *(driver.OperationalError, driver.InterfaceError, driver.InternalError),
        )
        self.rejections: tuple[type[Exception], ...] = (SQLAlchemyError, driver.Error)
        """What it raises when it is there but does not take what it is given."""

    def __repr__(self) -> str:
        return f"Database({self.shown!r})"

    async def write(self, function: Callable[[Connection], T]) -> T:
        """The result of ``function`` in a transaction that may write, after its commit.

        Raises:
            DatabaseUnavailable: when the database is not there, is locked, full or read-only.
        """
        return await anyio.to_thread.run_sync(partial(self.write_now, function))

    async def read(self, function: Callable[[Connection], T]) -> T:
        """The result of ``function`` in a transaction that only reads.

        Raises:
            DatabaseUnavailable: when the database is not there.
        """
        return await anyio.to_thread.run_sync(partial(self.read_now, function))

    def write_now(self, function: Callable[[Connection], T]) -> T:
        """As :meth:`write`, for callers in a thread of their own."""
        if self._turn is None:
            with self._begun(writes=True) as connection:
                return function(connection)
        with self._turn, self._begun(writes=True) as connection:
            return function(connection)

    def read_now(self, function: Callable[[Connection], T]) -> T:
        """As :meth:`read`, for callers in a thread of their own."""
        with self._begun(writes=False) as connection:
            return function(connection)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    @contextmanager
    def _begun(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                connection.execution_options(**{_WRITES: writes})
                with connection.begin():
                    yield connection
        except self._gone as error:
            if _is_of_the_file(error):
                self._engine.dispose()
            raise self._away(error) from error
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise
            raise self._away(error) from error  # SQLite says so of a file that is damaged, or none of its own

    def _away(self, error: Exception) -> DatabaseUnavailable:
        return DatabaseUnavailable(f"the database {self.shown} does not serve: {_reason(error)}")


def _parsed(url: str, path: str) -> URL:
    hint = "such as sqlite:///ledger.db or postgresql://user@host/name"
    try:
        parsed = make_url(url)
    except ArgumentError:
        # the error's own text repeats the URL, and with it the password
        raise ConfigError(path, "this is no URL of a database", hint=hint) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return parsed.set(drivername="sqlite+pysqlite")
    if backend == "sqlite":
        raise ConfigError(path, "a ledger in memory would be gone with the process: name a file", hint=hint)
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError(path, f"there is no support for {backend!r}", hint=hint)


def _is_of_the_file(error: Exception) -> bool:
    """Whether SQLite could not use the file: a connection made meanwhile may never write, whatever becomes of that."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in _OF_THE_FILE


def _reason(error: Exception) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    first = str(cause).strip().partition("\n")[0]
    return f"{type(cause).__name__}: {first}"


def _postgresql(url: URL) -> Engine:
    arguments = {"connect_timeout": _CONNECT_S, "application_name": "mlo"}
    return create_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_size=4,
        max_overflow=4,
        pool_timeout=10,
        pool_pre_ping=True,
    )


def _sqlite(url: URL, *, strict: bool, create: bool) -> Engine:
    file = Path(url.database or "").absolute()
    mode = "rwc" if create else "rw"

    def connect() -> sqlite3.Connection:
        # `isolation_level=None`: the module begins no transactions of its own, the events below do
        return sqlite3.connect(
            f"{file.as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine(url, creator=connect, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.execute(f"PRAGMA synchronous={'FULL' if strict else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # a transaction that begins by reading could not become a writing one while somebody else writes
        writes = connection.get_execution_options().get(_WRITES, False)
        if writes:
            _to_wal(connection)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _to_wal(connection: Connection) -> None:
    info = connection.info
    if not info.get("wal"):
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        info["wal"] = True
