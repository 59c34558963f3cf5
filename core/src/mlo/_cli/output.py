"""Writing to the terminal: lines, aligned columns, JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["complain", "say", "say_json", "table"]


def say(line: str = "") -> None:
    """Write a line to the standard output."""
    sys.stdout.write(f"{line}\n")


def complain(line: str) -> None:
    """Write a line to the standard error."""
    sys.stdout.flush()  # keeps the order where both go to one place
    sys.stderr.write(f"{line}\n")


def say_json(value: Any) -> None:
    """Write a value as JSON."""
    import json  # noqa: PLC0415 - most commands do without

    say(json.dumps(value, ensure_ascii=False, indent=2))


def table(rows: Iterable[Sequence[str]]) -> None:
    """Write rows with their columns aligned; the last column is as long as it is."""
    lines = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        say("  ".join(padded).rstrip())
