"""What the commands print: a table or one JSON document on standard output, remarks on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import attrs

from mlo_ledger.commands.tables import print_table

from .texts import text

__all__ = ["print_json", "print_rows", "remark", "say"]


def print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; ``heads`` are keys of texts."""
    if rows:
        print_table([text(f"head {head}") for head in heads], rows)
    else:
        remark(text("none"))


def print_json(document: Any) -> None:
    """One JSON document; attrs values become objects."""
    say(json.dumps(document, ensure_ascii=False, indent=2, default=_plain))


def say(line: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{line}\n")


def remark(line: str) -> None:
    """A line about the result."""
    sys.stderr.write(f"{line}\n")


def _plain(value: Any) -> Any:
    return attrs.asdict(value)
