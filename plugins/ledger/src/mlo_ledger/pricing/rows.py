"""One version of one price."""

from __future__ import annotations

from hashlib import blake2s

from attrs import field, frozen

from mlo.models import Price

__all__ = ["PriceRow", "is_imported", "price_id"]

_PREFIX = "price-"


@frozen(kw_only=True)
class PriceRow:
    """What a model costs from one moment to another.

    ``provider`` is the name of an instance or the id of a plugin, ``model`` the name of a model; both may be globs.
    ``valid_from`` and ``valid_to`` are microseconds since 1970 UTC, the end is not part of the time, ``None`` is open.
    ``price.source`` and ``price.checked_on`` say where the numbers are from; ``vat`` is a note for people.
    ``id`` is ``None`` until the row is stored.
    """

    provider: str = "*"
    model: str
    price: Price
    valid_from: int = 0
    valid_to: int | None = None
    vat: str | None = field(default=None, eq=False)
    id: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What the row is a price of: at any time there is at most one row for it."""
        return self.provider, self.model

    def covers(self, moment: int) -> bool:
        """Whether the price is valid at ``moment`` (microseconds since 1970 UTC)."""
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)

    def overlaps(self, other: PriceRow) -> bool:
        """Whether there is a moment at which both would be valid, whatever they are prices of."""
        ends_before = self.valid_to is not None and self.valid_to <= other.valid_from
        begins_after = other.valid_to is not None and other.valid_to <= self.valid_from
        return not (ends_before or begins_after)


def price_id(row: PriceRow) -> str:
    """The id of an imported price, made of what it is a price of, from when on, and all its numbers.

    So the same price cannot be imported twice, and one that was changed afterwards no longer fits its id.
    """
    price = row.price
    kinds = (price.prompt, price.completion, price.cached, price.tool, price.reasoning, price.request)
    content = repr((row.provider, row.model, row.valid_from, price.currency, kinds))
    return _PREFIX + blake2s(content.encode(), digest_size=12).hexdigest()


def is_imported(row: PriceRow) -> bool:
    """Whether the row has an id that :func:`price_id` makes: others come from what attempts said of their price."""
    return row.id is not None and row.id.startswith(_PREFIX)
