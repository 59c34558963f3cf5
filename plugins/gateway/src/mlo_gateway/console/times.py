"""Times as people type them. Pure."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

from .texts import text

__all__ = ["expiry_at", "length_of", "shown"]

_LENGTH = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def length_of(word: str) -> int:
    """A length of time such as ``24h``, in microseconds.

    >>> length_of("30m") // 1_000_000
    1800

    Raises:
        ArgumentTypeError: when it is none.
    """
    match = _LENGTH.fullmatch(word)
    if word == "0":
        return 0
    if match is None:
        raise argparse.ArgumentTypeError(text("bad length", value=word))
    return int(match[1]) * _UNITS[match[2]] * 1_000_000


def expiry_at(word: str, now: int) -> int:
    """A moment, ``2027-01-31T12:00:00Z`` or ``90d`` from ``now``, in microseconds; without an offset it is UTC.

    Raises:
        ArgumentTypeError: when it is none.
    """
    match = _LENGTH.fullmatch(word)
    if match is not None:
        return now + length_of(word)
    try:
        moment = datetime.fromisoformat(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(text("bad time", value=word)) from error
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def shown(at: int | None) -> str:
    """Microseconds as a time in UTC, to the second."""
    return "" if at is None else f"{_EPOCH + at * _MICROSECOND:%Y-%m-%d %H:%M:%SZ}"
