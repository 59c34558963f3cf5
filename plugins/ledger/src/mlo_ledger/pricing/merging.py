"""How new versions of prices join those that are stored: the elder ones end, and none is ever rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve, field, frozen

from .rows import PriceRow

__all__ = ["Merge", "merge"]


@frozen(kw_only=True)
class Merge:
    """What to do with the stored prices.

    ``added`` are new rows, without an id. ``closed`` are stored rows with the end that they get. ``confirmed`` are
    stored rows that the file repeats, with its source and day of the check. ``refused`` are pairs of a stored and a
    new row that contradict each other: unless it is empty, nothing must be changed.
    """

    added: tuple[PriceRow, ...] = ()
    closed: tuple[PriceRow, ...] = ()
    confirmed: tuple[PriceRow, ...] = ()
    refused: tuple[tuple[PriceRow, PriceRow], ...] = field(default=())


def merge(stored: Iterable[PriceRow], new: Iterable[PriceRow]) -> Merge:
    """Join ``new`` to ``stored``.

    A new version closes the open one before it. It is refused where it would begin at or before the beginning of a
    stored one and reach into that: what has been accounted by then has its price.
    """
    kept = {row.id: row for row in stored}
    added: list[PriceRow] = []
    closed: dict[str | None, PriceRow] = {}
    confirmed: list[PriceRow] = []
    refused: list[tuple[PriceRow, PriceRow]] = []
    for row in sorted(new, key=lambda each: (each.key, each.valid_from)):
        same_key = [each for each in kept.values() if each.key == row.key]
        twin = next((each for each in same_key if _same(each, row)), None)
        if twin is not None:
            confirmed.append(evolve(twin, price=row.price, vat=row.vat))
            if twin.valid_to is None and row.valid_to is not None:
                kept[twin.id] = closed[twin.id] = evolve(twin, valid_to=row.valid_to)
            continue
        ends, contradicts = _met(same_key, row)
        refused += [(each, row) for each in contradicts]
        for each in ends:
            kept[each.id] = closed[each.id] = evolve(each, valid_to=row.valid_from)
        added.append(row)
    return Merge(added=tuple(added), closed=tuple(closed.values()), confirmed=tuple(confirmed), refused=tuple(refused))


def _same(stored: PriceRow, new: PriceRow) -> bool:
    """The same price from the same moment; that the stored one has ended since does not make it another."""
    return stored.valid_from == new.valid_from and stored.price == new.price


def _met(stored: Sequence[PriceRow], row: PriceRow) -> tuple[list[PriceRow], list[PriceRow]]:
    """Of the stored rows: those that the new one ends, and those that it contradicts."""
    met = [each for each in stored if each.overlaps(row)]
    ends = [each for each in met if each.valid_from < row.valid_from and each.valid_to is None]
    return ends, [each for each in met if each not in ends]
