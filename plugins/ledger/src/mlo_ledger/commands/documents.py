"""Reports of usage for other programs. Money is exact: whole nano-units, and the same as a decimal."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import IO, Any

from mlo_ledger.pricing.amounts import as_decimal
from mlo_ledger.reports.periods import Period
from mlo_ledger.reports.usage import Line, Report

__all__ = ["usage_csv", "usage_json"]

_COUNTS = (
    "calls",
    "failed",
    "attempts",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "tool_tokens",
    "unpriced",
    "estimated",
    "indeterminate",
)


def usage_json(report: Report, out: IO[str]) -> None:
    """One document. ``cost_known`` says that no attempt of a line lacks its cost."""
    document = {
        "period": _period(report.period),
        "by": list(report.by),
        "lines": [{**_named(report, line), **_figures(line)} for line in report.lines],
        "total": _figures(report.total),
    }
    json.dump(document, out, ensure_ascii=False, indent=2)
    out.write("\n")


def usage_csv(report: Report, out: IO[str]) -> None:
    """A line per group and currency.

    Counts stand in the first line of a group only, so that columns can be added up. The currency is empty where no
    cost is known.
    """
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*report.by, *_COUNTS, "currency", "cost", "cost_nano"])
    for line in report.lines:
        counts: list[int] = [getattr(line, name) for name in _COUNTS]
        for currency, nano in sorted(line.costs.items()):
            table.writerow([*line.keys, *counts, currency, as_decimal(nano), nano])
            counts = [0] * len(counts)
        if not line.costs:
            table.writerow([*line.keys, *counts, "", "", ""])


def _period(period: Period) -> dict[str, Any]:
    limits = {
        name: datetime.fromtimestamp(moment, UTC).astimezone(period.zone).isoformat()
        for name, moment in (("from", period.begin), ("to", period.end))
    }
    return {**limits, "zone": period.zone.key, "shifted": period.shifted}


def _named(report: Report, line: Line) -> dict[str, str]:
    return dict(zip(report.by, line.keys, strict=True))


def _figures(line: Line) -> dict[str, Any]:
    return {
        **{name: getattr(line, name) for name in _COUNTS},
        "cost_known": line.unpriced == 0,
        "cost": {currency: as_decimal(nano) for currency, nano in sorted(line.costs.items())},
        "cost_nano": dict(sorted(line.costs.items())),
    }
