"""Tables: drawn on a terminal, in aligned columns without any cut where another program reads."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TextIO

__all__ = ["bar", "clean", "complain", "print_table", "room_beside", "say"]

_GAP = "  "
_UNLIMITED = 1_000


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> None:
    """Print ``rows`` below ``heads``; the columns in ``right`` are aligned to the right."""
    cleaned = [[clean(cell) for cell in row] for row in rows]
    if _is_terminal():
        _draw(heads, cleaned, right)
        return
    for line in _aligned([list(heads), *cleaned], right):
        say(line)


def say(line: str) -> None:
    """Print a line, with ``?`` for what the encoding of the terminal lacks."""
    sys.stdout.write(f"{_encodable(line, sys.stdout)}\n")


def complain(line: str) -> None:
    """Print a line on the standard error, after what was printed before."""
    sys.stdout.flush()
    sys.stderr.write(f"{_encodable(line, sys.stderr)}\n")


def room_beside(rows: Sequence[Sequence[str]]) -> int:
    """How many columns of the terminal the table leaves free for one more; without a terminal there are plenty."""
    if not _is_terminal():
        return _UNLIMITED
    taken = sum(max(map(len, column)) + len(_GAP) for column in zip(*rows, strict=True))
    return shutil.get_terminal_size().columns - taken


def bar(part: int, most: int, width: int) -> str:
    """A bar as long as ``part`` is of ``most``, for which it is ``width`` long; what is more than nothing shows."""
    if part <= 0 or most <= 0:
        return ""
    eighths = max(1, part * width * 8 // most)
    blocks = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return blocks if _shows(blocks) else "#" * max(1, eighths // 8)


def clean(text: str) -> str:
    """``text`` without what would move a terminal's cursor: names in the ledger come from callers."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}


def _shows(text: str) -> bool:
    return _encodable(text, sys.stdout) == text


def _encodable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


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
