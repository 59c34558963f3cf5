"""Reports of usage for people: a table with bars, and below it what the figures leave out."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import zip_longest

from mlo_ledger.reports.usage import TIMES, Line, Report

from .amounts import count_text, plural, total_text
from .tables import bar, print_table, room_beside, say
from .texts import text

__all__ = ["draw_usage"]

_FIGURES = ("calls", "failed", "prompt", "completion", "cost")
_SHORTEST, _LONGEST = 6, 24


def draw_usage(report: Report, *, chart: bool = True) -> None:
    """Print ``report`` on the standard output.

    Bars show costs where there are any in one currency, and calls where not.
    """
    zone = report.period.zone
    begin, end = (
        datetime.fromtimestamp(moment, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")
        for moment in (report.period.begin, report.period.end)
    )
    say(text("period", begin=begin, end=end, zone=zone.key))
    if not report.lines:
        say(text("nothing used"))
        return
    heads = [text(f"head {name}") for name in (*report.by, *_FIGURES)]
    rows = [[*(name or "–" for name in line.keys), *_figures(line)] for line in report.lines]
    if len(report.lines) > 1:
        rows.append([text("total"), *[""] * (len(report.by) - 1), *_figures(report.total)])
    if chart and (room := room_beside([heads, *rows])) >= _SHORTEST:
        lengths = _lengths(report)
        most = max(lengths)
        bars = [bar(length, most, min(room, _LONGEST)) for length in lengths]
        heads.append("")
        rows = [[*row, mark] for row, mark in zip_longest(rows, bars, fillvalue="")]
    right = frozenset(range(len(report.by), len(report.by) + len(_FIGURES)))
    print_table(heads, rows, right=right)
    for remark in _remarks(report):
        say(remark)


def _lengths(report: Report) -> list[int]:
    currencies = list(report.total.costs)
    if len(currencies) == 1 and report.total.costs[currencies[0]] > 0:
        return [line.costs.get(currencies[0], 0) for line in report.lines]
    return [line.calls for line in report.lines]


def _figures(line: Line) -> list[str]:
    counts = (line.calls, line.failed, line.prompt_tokens, line.completion_tokens)
    return [*map(count_text, counts), total_text(line.costs, unknown=line.unpriced)]


def _remarks(report: Report) -> list[str]:
    total = report.total
    found = []
    if total.unpriced:
        cost = total_text(total.costs, unknown=total.unpriced, short=False)
        found.append(f"{cost}, {text('unpriced', attempts=plural(total.unpriced, 'attempts'))}")
    if total.indeterminate:
        found.append(text("indeterminate", attempts=plural(total.indeterminate, "attempts")))
    if total.estimated:
        found.append(text("estimated", attempts=plural(total.estimated, "attempts")))
    if report.period.shifted and set(report.by) & set(TIMES):
        found.append(text("shifted"))
    return found
