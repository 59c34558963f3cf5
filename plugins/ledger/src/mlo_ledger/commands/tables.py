"""Tables: drawn on a terminal, in aligned columns without any cut where another program reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["bar", "clean", "print_table"]

_GAP = "  "
_BAR = 24


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> None:
    """Print ``rows`` below ``heads``; the columns in ``right`` are aligned to the right."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}:
        _draw(heads, cleaned, right)
        return
    for line in _aligned([list(heads), *cleaned], right):
        sys.stdout.write(f"{line}\n")


def bar(part: int, most: int) -> str:
    """A bar as long as ``part`` is of ``most``; whatever is more than nothing shows."""
    if part <= 0 or most <= 0:
        return ""
    eighths = max(1, part * _BAR * 8 // most)
    blocks = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return blocks if _shows(blocks) else "#" * max(1, eighths // 8)


def clean(text: str) -> str:
    """``text`` without what would move a terminal's cursor: names in the ledger come from callers."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _shows(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _aligned(rows: Sequence[Sequence[str]], right: frozenset[int]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if place in right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _draw(heads: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> None:
    from rich.console import Console  # noqa: PLC0415 - rich is slow to load
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, len(_GAP), 0, 0))
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)
