"""The prices in the database: reading them, and importing new versions of them."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from sqlalchemy import Connection, Row, insert, select, text, update

from mlo.models import Price
from mlo_ledger.pricing import Merge, PriceRow, merge, price_id
from mlo_ledger.schema import price

__all__ = ["IMPORTED", "OBSERVED", "import_prices", "row_of", "stored_prices", "values_of"]

IMPORTED = "imported"
OBSERVED = "observed"
_KINDS = ("prompt", "completion", "cached", "tool", "reasoning", "request", "currency", "source", "checked_on")


def stored_prices(connection: Connection, *origins: str) -> list[PriceRow]:
    """The prices of these origins, all without any, in order of provider, model and beginning."""
    query = select(price).order_by(price.c.provider, price.c.model, price.c.valid_from, price.c.id)
    if origins:
        query = query.where(price.c.origin.in_(origins))
    return [row_of(found) for found in connection.execute(query)]


def import_prices(connection: Connection, rows: Sequence[PriceRow], *, dry: bool = False) -> Merge:
    """Join ``rows`` to the imported prices, in the transaction of ``connection``; says what was done.

    Nothing is changed where one of them is refused, or with ``dry``. Of stored rows only the end is ever changed, and
    where a row is confirmed its source, day of the check and note.
    """
    if connection.dialect.name == "postgresql":
        # two imports at once would each see the prices without those of the other
        connection.execute(text("LOCK TABLE price IN SHARE ROW EXCLUSIVE MODE"))
    merged = merge(stored_prices(connection, IMPORTED), rows)
    if merged.refused or dry:
        return merged
    for row in merged.closed:
        connection.execute(update(price).where(price.c.id == row.id).values(valid_to=row.valid_to))
    for row in merged.confirmed:
        facts = {"source": row.price.source, "checked_on": row.price.checked_on, "vat": row.vat}
        connection.execute(update(price).where(price.c.id == row.id).values(facts))
    if merged.added:
        connection.execute(insert(price), [values_of(row, IMPORTED) for row in merged.added])
    return merged


def row_of(found: Row[tuple[object, ...]]) -> PriceRow:
    """A row of the table as a value."""
    columns = found._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return PriceRow(
        id=columns["id"],
        provider=columns["provider"],
        model=columns["model"],
        valid_from=columns["valid_from"],
        valid_to=columns["valid_to"],
        vat=columns["vat"],
        price=Price(**{kind: columns[kind] for kind in _KINDS}),
    )


def values_of(row: PriceRow, origin: str) -> dict[str, object]:
    """A value as columns of the table; it gets an id if it has none."""
    named = evolve(row, id=row.id or price_id(row))
    own = {"id": named.id, "provider": row.provider, "model": row.model, "origin": origin}
    times = {"valid_from": row.valid_from, "valid_to": row.valid_to, "vat": row.vat}
    return {**own, **times, **{kind: getattr(row.price, kind) for kind in _KINDS}}
