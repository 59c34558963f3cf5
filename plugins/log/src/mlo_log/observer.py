"""The observer: puts each record it wants into the writer's queue, with the time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from time import time
from typing import Any, cast

import anyio
import structlog
from structlog.typing import EventDict, WrappedLogger

from mlo.api import Environment
from mlo.errors import ConfigError
from mlo.records import Record

from .config import LogConfig
from .ids import CallIds
from .lines import KINDS, described, is_due, level_of, peeked, wanted
from .masking import Redaction, masked
from .sampling import Sampling
from .sink import Destination, Writer

__all__ = ["LogObserver", "open_log"]


@asynccontextmanager
async def open_log(config: LogConfig, environment: Environment) -> AsyncIterator[LogObserver]:
    """Open the destination and start the writer.

    Raises:
        ConfigError: when the file cannot be opened for writing, or a pattern is no regular expression.
    """
    redaction = Redaction(config.redact, f"{environment.path}.redact")
    try:
        destination = await anyio.to_thread.run_sync(Destination, config.path)
    except OSError as error:
        reason = f"cannot write to {config.path!r}: {error.strerror}"
        raise ConfigError(f"{environment.path}.path", reason, hint="make the folder, or choose another path") from error
    observer = LogObserver(config, destination, redaction)
    try:
        yield observer
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(observer.close)


class _Line:
    """The logger below structlog's: each method of it gives back the line instead of writing it."""

    @staticmethod
    def debug(line: str) -> str:
        return line

    info = warning = error = debug


class LogObserver:
    """Writes one JSON object per record. Its structlog logger is its own: global settings stay as they are."""

    def __init__(self, config: LogConfig, destination: Destination, redaction: Redaction) -> None:
        self._config = config
        self._redaction = redaction
        self._ids = CallIds()
        self._sampling = Sampling(config.sample)
        self._written = wanted(config)
        self._kept = None if config.fields is None else {*config.fields, *config.add, "timestamp", "level", "event"}
        self._log = structlog.wrap_logger(
            _Line(),
            processors=[structlog.processors.add_log_level, self._keep, _mask, self._redact, _in_order, _as_json],
            wrapper_class=structlog.BoundLogger,
            context_class=dict,
            cache_logger_on_first_use=False,
            **config.add,
        )
        self._writer = Writer(destination, config.queue, self._dropped)

    @property
    def wants(self) -> frozenset[type[Record]]:
        """What the configuration asks for, and what tells the ids of a call."""
        return self._written | peeked(self._config)

    def on(self, record: Record, /) -> None:
        """Take one record; it becomes text in the writer's thread."""
        ids = self._ids.of(record)
        if type(record) in self._written or self._config.sample < 1:
            self._writer.put(partial(self._lines, record, ids, time()))

    def close(self) -> None:
        """Wait until all lines are written."""
        self._writer.close()

    def _lines(self, record: Record, ids: Mapping[str, str], at: float) -> list[str]:
        is_written = type(record) in self._written and is_due(record, self._config)
        line = partial(self._line, record, ids, at) if is_written else None
        return [make() for make in self._sampling.due(record, line)]

    def _line(self, record: Record, ids: Mapping[str, str], at: float) -> str:
        return self._render(level_of(record), KINDS[type(record)], at, {**described(record), **ids})

    def _dropped(self, count: int) -> str:
        return self._render("warning", "lines_dropped", time(), {"count": count})

    def _redact(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        first = ("timestamp", "level", "event")
        rest = self._redaction.applied({name: value for name, value in line.items() if name not in first})
        return {**{name: line[name] for name in first}, **rest}

    def _render(self, level: str, event: str, at: float, fields: dict[str, Any]) -> str:
        timestamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return cast("str", getattr(self._log, level)(event, timestamp=timestamp, **fields))

    def _keep(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        kept = self._kept
        return line if kept is None else {name: value for name, value in line.items() if name in kept}


def _mask(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    return {name: masked(value, name) for name, value in line.items()}


def _in_order(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    first = {name: line.pop(name) for name in ("timestamp", "level", "event")}
    return first | dict(line)


def _as_json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    # separators of lines other than "\n" are legal in JSON strings, but not every reader of log files knows
    return json.dumps(line, ensure_ascii=False, default=repr).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
