"""Measuring what can be trusted on a noisy machine: CPU time, interleaved rounds, medians, ratios within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

__all__ = ["cpu_of_each", "print_table"]


async def cpu_of_each(subjects: dict[str, Callable[[], Awaitable[int]]], *, rounds: int = 7) -> dict[str, float]:
    """Median CPU seconds per unit of each subject, which returns how many units it did.

    The subjects take turns, so that a machine that changes its speed does so for all of them; a first round warms up.
    """
    figures: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds + 1):
        for name, subject in subjects.items():
            before = time.process_time()
            units = await subject()
            spent = time.process_time() - before
            if number:
                figures[name].append(spent / units)
    return {name: statistics.median(each) for name, each in figures.items()}


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on standard output."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    print(f"\n{title}")
    for row in cells:
        first, *rest = (
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join([first, *rest]))
