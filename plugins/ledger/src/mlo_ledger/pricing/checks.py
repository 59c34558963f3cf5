"""What is wrong or doubtful about prices, before they are imported and afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise

from mlo.api import Finding

from .files import PriceFile
from .rows import PriceRow

__all__ = ["check_file", "check_rows"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_file(file: PriceFile, *, today: date, stale_after: int) -> list[Finding]:
    """Overlaps and repetitions as errors; gaps, prices without a recent check and odd ones as warnings.

    ``stale_after`` is how many days after ``checked_on`` a price is no longer taken for granted.
    """
    places = {id(row): f"{file.name}: {place}" for row, place in zip(file.rows, file.places, strict=True)}
    return _findings(file.rows, places, today, stale_after)


def check_rows(rows: Iterable[PriceRow], *, today: date, stale_after: int) -> list[Finding]:
    """The same for stored prices, of which only those that still apply can be stale."""
    listed = list(rows)
    places = {id(row): f"{row.provider}/{row.model} ({row.id})" for row in listed}
    return _findings(listed, places, today, stale_after)


def _findings(rows: Sequence[PriceRow], places: dict[int, str], today: date, stale_after: int) -> list[Finding]:
    found: list[Finding] = []
    for _, group in groupby(sorted(rows, key=_order), key=lambda row: row.key):
        versions = list(group)
        for elder, younger in pairwise(versions):
            found += _between(elder, younger, places)
        for row in versions:
            found += _alone(row, places[id(row)], today, stale_after)
    return found


def _order(row: PriceRow) -> tuple[tuple[str, str], int]:
    return row.key, row.valid_from


def _between(elder: PriceRow, younger: PriceRow, places: dict[int, str]) -> Iterator[Finding]:
    where = places[id(younger)]
    if elder.valid_from == younger.valid_from:
        message = f"two prices of {younger.model} begin on {_day(younger.valid_from)}"
        yield Finding(level="error", where=where, message=message, fix="leave one of them out, or change valid_from")
    elif elder.overlaps(younger):
        message = f"overlaps the price of {younger.model} from {_day(elder.valid_from)}"
        yield Finding(level="error", where=where, message=message, fix="let the elder one end where this one begins")
    elif elder.valid_to is not None and elder.valid_to < younger.valid_from:
        message = f"{younger.model} has no price from {_day(elder.valid_to)} to {_day(younger.valid_from)}"
        yield Finding(level="warning", where=where, message=message, fix="calls in between have no known cost")


def _alone(row: PriceRow, where: str, today: date, stale_after: int) -> Iterator[Finding]:
    checked = _checked(row)
    if checked is None:
        if row.price.source is None:
            yield Finding(level="info", where=where, message="the price has no source", fix="import it from a file")
    elif checked > today:
        yield Finding(level="warning", where=where, message=f"checked_on {checked} is in the future", fix="correct it")
    elif (today - checked).days > stale_after and row.covers(_moment(today)):
        message = f"last checked on {checked}, {(today - checked).days} days ago"
        yield Finding(level="warning", where=where, message=message, fix=f"compare it with: {row.price.source}")
    prompt, cached = row.price.prompt, row.price.cached
    if cached is not None and cached > prompt:
        message = "cached tokens cost more than others"
        yield Finding(level="warning", where=where, message=message, fix="are the two mixed up?")


def _checked(row: PriceRow) -> date | None:
    try:
        return date.fromisoformat(row.price.checked_on or "")
    except ValueError:
        return None


def _moment(day: date) -> int:
    return (datetime(day.year, day.month, day.day, 12, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def _day(moment: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=moment)).isoformat(sep=" ", timespec="minutes").removesuffix("+00:00")
    except OverflowError:
        return f"{moment} µs"
