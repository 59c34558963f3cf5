"""What ``mlo ledger verify`` does."""

from __future__ import annotations

import argparse
import json
import sys

import attrs

from mlo_ledger.reports.audit import Audit, Difference, audit

from .amounts import count_text, plural
from .place import reading
from .tables import clean, say
from .texts import text

__all__ = ["verify"]


def verify(options: argparse.Namespace) -> int:
    """Audit the ledger and tell what differs; 1 if anything does."""
    found = reading(options, audit)
    if options.json:
        json.dump({"agrees": found.agrees, **attrs.asdict(found)}, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
    else:
        _tell(found)
    return int(not found.agrees)


def _tell(found: Audit) -> None:
    lines = []
    for kind, count in found.counts.items():
        lines.append(f"{text(f'differs {kind}')}: {count_text(count)}")
        shown = [each for each in found.differences if each.kind == kind]
        lines += [clean(f"  {each.where}: {_contrast(each)}") for each in shown]
        if count > len(shown):
            lines.append("  " + text("and more", count=count_text(count - len(shown))))
    if found.vendor:
        lines.append(text("vendor costs", events=plural(found.vendor, "events count")))
    if found.unchecked:
        lines.append(text("unchecked", windows=plural(found.unchecked, "windows count")))
    looked = {
        "events": plural(found.events, "events count"),
        "prices": plural(found.prices, "prices count"),
        "hours": plural(found.hours, "hours count"),
        "windows": plural(found.windows, "windows count"),
    }
    lines.append(text("verified" if found.agrees else "verified with differences", **looked))
    for line in lines:
        say(line)


def _contrast(difference: Difference) -> str:
    return text("not as", expected=difference.expected, found=difference.found)
