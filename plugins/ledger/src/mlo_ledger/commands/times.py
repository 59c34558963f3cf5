"""The time that a command is about, from its options."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from mlo_ledger.reports.periods import Period, between, last, month, this_month, zone_of

from .texts import text

__all__ = ["asked_period", "chosen_period"]


def chosen_period(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Period:
    """As :func:`asked_period`, and the current month where no time was asked for."""
    return asked_period(parser, options) or this_month(zone_of(options.zone), datetime.now(UTC))


def asked_period(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Period | None:
    """The period that the options of :func:`mlo_ledger.commands.options.time_options` say; ``None`` without any.

    Leaves the program with a message where they make no sense.
    """
    now = datetime.now(UTC)
    if options.end is not None and options.begin is None:
        parser.error(text("to without from"))
    if options.begin is not None and (options.last or options.month):
        parser.error(text("from and others"))
    asked = ("bad zone", options.zone)
    try:
        zone = zone_of(options.zone)
        if options.begin is not None:
            asked = ("bad time", options.begin if options.end is None else f"{options.begin} … {options.end}")
            return between(options.begin, options.end, zone, now)
        if options.month is not None:
            asked = ("bad month", options.month)
            return month(options.month, zone)
        if options.last is not None:
            asked = ("bad last", options.last)
            return last(options.last, zone, now)
    except (ValueError, OverflowError):
        key, value = asked
        parser.error(text(key, value=value))
    return None
