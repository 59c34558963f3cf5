"""What ``mlo prices`` does."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from mlo.api import Finding
from mlo.errors import ConfigError
from mlo_ledger.pricing import Merge, PriceFile, PriceRow, check_file, check_rows, is_imported, parse_price_file
from mlo_ledger.pricing.amounts import as_decimal
from mlo_ledger.reports.periods import moment_of, zone_of
from mlo_ledger.reports.stored_prices import IMPORTED, OBSERVED, import_prices, stored_prices

from .amounts import plural
from .place import reading, writing
from .tables import complain, print_table, say
from .texts import text

__all__ = ["check", "show", "take"]

_KINDS = ("prompt", "completion", "cached", "tool", "reasoning", "request")
_HEADS = (
    "provider",
    "model",
    "input",
    "output",
    "cached",
    "tool",
    "reasoning",
    "request",
    "from",
    "until",
    "checked",
    "origin",
)
_ZONE = "Europe/Moscow"


def show(options: argparse.Namespace) -> int:
    """``mlo prices list``."""
    moment = _moment(options.at)
    rows = [
        row
        for row in reading(options, stored_prices)
        if (options.all or row.covers(moment))
        and (options.provider in {None, row.provider})
        and (options.model in {None, row.model})
    ]
    if options.json:
        json.dump([_document(row) for row in rows], sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    elif rows:
        heads = [text(f"head {name}") for name in _HEADS]
        print_table(heads, [_cells(row) for row in rows], right=frozenset(range(2, 8)))
        currencies = ", ".join(sorted({row.price.currency for row in rows}))
        say(text("per million", currencies=currencies))
    else:
        say(text("no prices"))
    return 0


def check(options: argparse.Namespace) -> int:
    """``mlo prices check``: files, or the ledger where no file is named."""
    today = datetime.now(UTC).date()
    if options.files:
        files = [_file(name) for name in options.files]
        found = [check_file(file, today=today, stale_after=options.stale_days) for file in files]
        counts = [(file.name, len(file.rows)) for file in files]
    else:
        rows = reading(options, lambda connection: stored_prices(connection, IMPORTED))
        found = [check_rows(rows, today=today, stale_after=options.stale_days)]
        counts = [(text("the ledger"), len(rows))]
    for (name, count), findings in zip(counts, found, strict=True):
        _tell(findings)
        if not _serious(findings, strict=True):
            say(text("sound", name=name, prices=plural(count, "prices count")))
    return int(any(_serious(findings, strict=options.strict) for findings in found))


def take(options: argparse.Namespace) -> int:
    """``mlo prices import``: all files in one transaction, or none."""
    files = [_file(name) for name in options.files]
    together = PriceFile(
        name=", ".join(file.name for file in files),
        rows=tuple(row for file in files for row in file.rows),
        places=tuple(place for file in files for place in file.places),
    )
    findings = check_file(together, today=datetime.now(UTC).date(), stale_after=options.stale_days)
    _tell(findings)
    if _serious(findings, strict=options.strict):
        complain(text("not imported"))
        return 1
    work = partial(import_prices, rows=together.rows, dry=options.dry_run)
    merged = reading(options, work) if options.dry_run else writing(options, work)
    _tell(_contradictions(merged))
    if merged.refused:
        complain(text("not imported"))
        return 1
    counts = {"added": len(merged.added), "closed": len(merged.closed), "confirmed": len(merged.confirmed)}
    say(text("would import" if options.dry_run else "imported", **counts))
    return 0


def _file(name: str) -> PriceFile:
    path = Path(name)
    form: Literal["json", "toml"] = "json" if path.suffix.lower() == ".json" else "toml"
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(name, text("no price file", reason=error.strerror)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(name, text("no price file", reason="UTF-8?")) from error
    return parse_price_file(content, form=form, name=name)


def _contradictions(merged: Merge) -> Iterable[Finding]:
    for stored, new in merged.refused:
        message = text("contradicts", begin=_day(stored.valid_from))
        fix = text("contradicts hint")
        yield Finding(level="error", where=f"{new.provider}/{new.model}", message=message, fix=fix)


def _serious(findings: Iterable[Finding], *, strict: bool) -> bool:
    levels = {"error", "warning"} if strict else {"error"}
    return any(finding.level in levels for finding in findings)


def _tell(findings: Iterable[Finding]) -> None:
    for finding in findings:
        complain(f"{text(finding.level)}: {finding.where}: {finding.message} ({finding.fix})")


def _moment(at: str | None) -> int:
    if at is None:
        return int(datetime.now(UTC).timestamp() * 1_000_000)
    try:
        return int(moment_of(at, zone_of(_ZONE)).timestamp()) * 1_000_000
    except (ValueError, OverflowError) as error:
        raise ConfigError("--at", text("bad time", value=at)) from error


def _cells(row: PriceRow) -> Sequence[str]:
    numbers = [getattr(row.price, kind) for kind in _KINDS]
    amounts = ["" if number is None else as_decimal(number) for number in numbers]
    until = "" if row.valid_to is None else _day(row.valid_to)
    # what attempts said of their price says nothing of when it began
    since = _day(row.valid_from) if row.valid_from else ""
    origin = text("imported price" if is_imported(row) else "observed price")
    return [row.provider, row.model, *amounts, since, until, row.price.checked_on or "?", origin]


def _document(row: PriceRow) -> dict[str, object]:
    numbers = {kind: getattr(row.price, kind) for kind in _KINDS}
    return {
        "id": row.id,
        "provider": row.provider,
        "model": row.model,
        "currency": row.price.currency,
        "unit": "million tokens",
        **{kind: None if number is None else as_decimal(number) for kind, number in numbers.items()},
        "origin": IMPORTED if is_imported(row) else OBSERVED,
        "valid_from": _iso(row.valid_from) if row.valid_from else None,
        "valid_to": None if row.valid_to is None else _iso(row.valid_to),
        "source": row.price.source,
        "checked_on": row.price.checked_on,
        "vat": row.vat,
    }


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1_000_000, UTC).astimezone(zone_of(_ZONE)).isoformat()


def _day(moment: int) -> str:
    """The day in Moscow, where tariffs begin at midnight; with the time if it is another."""
    return _iso(moment)[:16].replace("T", " ").removesuffix(" 00:00")
