"""What ``mlo ledger export`` does: every event with all that is known of it, for bills and for training routes."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

from sqlalchemy import Connection, Select, select

from mlo.errors import ConfigError
from mlo_ledger.pricing.amounts import as_decimal
from mlo_ledger.reports.periods import Period
from mlo_ledger.schema import usage_event

from .amounts import plural
from .place import reading
from .tables import complain
from .texts import text

__all__ = ["write_events"]

_AT_ONCE = 1_000
_DOCUMENTS = ("decision", "features")
_COLUMNS = ("time", "cost", *(column.name for column in usage_event.columns))
_Write = Callable[[Mapping[str, Any]], object]


def write_events(options: argparse.Namespace, period: Period | None) -> int:
    """Write the events of ``period``, all without one, in the order in which their calls began.

    Raises:
        ConfigError: when the file exists already or cannot be made.
    """
    with _opened(options.output) as out:
        write = _csv(out) if options.format == "csv" else _jsonl(out)
        count = reading(options, lambda connection: _copy(connection, _query(period), write))
    if options.output is not None:
        complain(text("exported", events=plural(count, "events count"), place=options.output))
    return 0


def _query(period: Period | None) -> Select[Any]:
    query = select(usage_event).order_by(usage_event.c.ts, usage_event.c.writer, usage_event.c.seq)
    if period is None:
        return query
    first, after = (moment * 1_000_000 for moment in period.exact)
    return query.where(usage_event.c.ts >= first, usage_event.c.ts < after)


def _copy(connection: Connection, query: Select[Any], write: _Write) -> int:
    count = 0
    for row in connection.execution_options(yield_per=_AT_ONCE).execute(query).mappings():
        write(_described(dict(row)))
        count += 1
    return count


def _described(row: Mapping[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(row["ts"] // 1_000_000, UTC).replace(microsecond=row["ts"] % 1_000_000)
    cost = None if row["cost_nano"] is None else as_decimal(row["cost_nano"])
    return {"time": moment.isoformat(timespec="microseconds"), "cost": cost, **row}


def _csv(out: IO[str]) -> _Write:
    """What is unknown is an empty cell."""
    table = csv.DictWriter(out, _COLUMNS, lineterminator="\n")
    table.writeheader()
    return table.writerow


def _jsonl(out: IO[str]) -> _Write:
    def write(row: Mapping[str, Any]) -> None:
        parsed = {name: json.loads(row[name]) for name in _DOCUMENTS if row[name] is not None}
        out.write(json.dumps({**row, **parsed}, ensure_ascii=False) + "\n")

    return write


@contextmanager
def _opened(name: str | None) -> Iterator[IO[str]]:
    if name is None:
        yield sys.stdout
        return
    try:
        file = open(name, "x", encoding="utf-8", newline="")  # noqa: SIM115, PTH123 - closed below; an error here is ours
    except FileExistsError as error:
        raise ConfigError("--output", f"{name}: {text('file exists')}") from error
    except OSError as error:
        raise ConfigError("--output", f"{name}: {text('not writable', reason=error.strerror)}") from error
    with file:
        yield file
