"""Tables: drawn on a terminal, and in aligned columns without any cut where another program reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .clean import printable
from .displays import styled

__all__ = ["print_table"]

_GAP = "  "


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print ``rows`` below ``headers`` on standard output."""
    cleaned = [[printable(cell) for cell in row] for row in rows]
    if styled(sys.stdout, dict(os.environ)):
        _draw(headers, cleaned)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _aligned([headers, *cleaned])))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _draw(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table  # noqa: PLC0415 - rich is slow to load
    from rich.text import Text  # noqa: PLC0415

    from .live import console  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, len(_GAP), 0, 0))
    for header in headers:
        table.add_column(header, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)
