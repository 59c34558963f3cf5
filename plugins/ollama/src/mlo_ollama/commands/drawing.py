"""Tables and a progress bar in plain text."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from typing import TextIO

from mlo_ollama.pulling import PullProgress

__all__ = ["ProgressLine", "size_text", "table"]

_UNITS = ("B", "KB", "MB", "GB", "TB")
_REDRAW_SECONDS = 0.1


def size_text(size: int | None) -> str:
    """A number of bytes as people write it; decimal units, as the server's own tools use.

    >>> size_text(2_019_393_189)
    '2.0 GB'
    """
    if size is None:
        return ""
    number, unit = float(size), 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {_UNITS[unit]}" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, two spaces apart."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [heads, *rows]]
    return "\n".join(line.rstrip() for line in lines)


class ProgressLine:
    """A pull's progress: one line that changes on a terminal, one line for each new status elsewhere."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._live = out.isatty()
        self._last: PullProgress | None = None
        self._drawn_at = float("-inf")
        self._from: tuple[float, int] = (0.0, 0)

    @property
    def shown(self) -> bool:
        """Whether anything was shown."""
        return self._last is not None

    def show(self, report: PullProgress) -> None:
        """Take the next report."""
        new = self._last is None or self._last.status != report.status
        if new:
            self._from = (self._clock(), report.completed or 0)
        if not self._live:
            if new:
                self._write(f"{report.status}\n")
        elif new or self._is_due(report):
            if new and self._last is not None:
                self._write("\n")
            self._draw(report)
        self._last = report

    def end(self) -> None:
        """Leave the line."""
        if self._live and self._last is not None:
            self._write("\n")
        if self._last is not None:
            self._last = PullProgress(status="")

    def _is_due(self, report: PullProgress) -> bool:
        return report.completed == report.total or self._clock() - self._drawn_at >= _REDRAW_SECONDS

    def _draw(self, report: PullProgress) -> None:
        self._drawn_at = self._clock()
        self._write(f"\r\x1b[K{self._line(report)}")

    def _line(self, report: PullProgress) -> str:
        if not report.total:
            return report.status
        done = report.completed or 0
        share = min(1.0, done / report.total)
        facts = f"{share:4.0%}  {size_text(done)}/{size_text(report.total)}{self._speed(done)}"
        room = min(40, shutil.get_terminal_size().columns - len(report.status) - len(facts) - 6)
        if room < 5:
            return f"{report.status} {facts}"
        full = round(share * room)
        return f"{report.status} [{'#' * full}{' ' * (room - full)}] {facts}"

    def _speed(self, done: int) -> str:
        since, before = self._from
        passed = self._clock() - since
        if passed < 1 or done <= before:
            return ""
        return f"  {size_text(int((done - before) / passed))}/s"

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
