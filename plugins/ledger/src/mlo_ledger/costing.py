"""What attempts cost: at the operator's prices first, then at those that came with the attempt."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, select

from mlo.models import Price
from mlo.records import AttemptStarted
from mlo.responses import Usage

from .events import AT, Row
from .pricing.costs import cost_of
from .pricing.matching import PriceBook
from .pricing.rows import PriceRow
from .schema import price

__all__ = ["VENDOR", "Costing", "imported_prices"]

VENDOR = "vendor"
"""In place of a price's id: the vendor itself said what the call costs."""

_BIGGEST = (1 << 63) - 1
_PROMPT, _COMPLETION, _CACHED, _REASONING, _TOOL = (
    AT[f"{kind}_tokens"] for kind in ("prompt", "completion", "cached", "reasoning", "tool")
)
_COST, _CURRENCY, _PRICE, _OPERATION, _TS = (
    AT[name] for name in ("cost_nano", "currency", "price_id", "operation", "ts")
)
_MODEL, _ASKED = AT["model"], AT["model_asked"]


class Costing:
    """Puts costs into rows, and remembers which prices the database has not been told of."""

    def __init__(self) -> None:
        self._book = PriceBook(())
        self._has_book = False
        # by the identity of the price, which is kept beside it: to hash a price costs more than all else here
        self._rows: dict[tuple[str, str | None, int], tuple[Price, Mapping[str, Any]]] = {}
        self._stored: set[str] = set()
        self._dearest: dict[str, Price] = {}

    def use(self, book: PriceBook) -> None:
        """Take other prices of the operator's."""
        self._book, self._has_book = book, len(book) > 0

    def stored(self, prices: tuple[Mapping[str, Any], ...]) -> None:
        """The database has these."""
        self._stored.update(row["id"] for row in prices)

    def put(self, row: Row, attempt: AttemptStarted, usage: Usage) -> Mapping[str, Any] | None:
        """Put cost, currency and price into a row: the price, if the database may not know it.

        The cost stays unknown where the tokens are, or where nobody knows a price.
        """
        found = self._imported(attempt, (row[_ASKED], row[_MODEL]), row[_TS]) if self._has_book else None
        if found is not None:
            self._set(row, _cost(found.price, row), found.price.currency, str(found.id))
            return None
        own = attempt.price
        cost = None if own is None else _cost(own, row)
        said = usage.cost
        if said is not None and said.nano != cost and (own is None or said != usage.priced(own).cost):
            self._set(row, said.nano, said.currency, VENDOR)
            return None
        if own is None:
            return None
        stored = self._row(attempt, own)
        self._set(row, cost, own.currency, stored["id"])
        return None if stored["id"] in self._stored else stored

    def saw(self, route: str, attempt: AttemptStarted, moment: int) -> None:
        """Learn what calls of a route cost, for what is to be reserved for the next one."""
        found = self._imported(attempt, (attempt.model,), moment) if self._has_book else None
        own = attempt.price if found is None else found.price
        known = self._dearest.get(route)
        if own is not None and (known is None or own.prompt + own.completion > known.prompt + known.completion):
            self._dearest[route] = own

    def expected(self, route: str, model: str | None, moment: int) -> Price | None:
        """The dearest price that calls of the route have had, else one for the model that is asked for."""
        known = self._dearest.get(route)
        if known is not None or model is None:
            return known
        found = self._book.find(provider="*", plugin="*", models=(model,), moment=moment)
        return None if found is None else found.price

    def _imported(self, attempt: AttemptStarted, models: tuple[str | None, ...], moment: int) -> PriceRow | None:
        return self._book.find(provider=attempt.provider, plugin=attempt.plugin, models=models, moment=moment)

    @staticmethod
    def _set(row: Row, cost: int | None, currency: str, price_id: str) -> None:
        if cost is not None and 0 <= cost <= _BIGGEST:
            row[_COST], row[_CURRENCY], row[_PRICE] = cost, currency, price_id

    def _row(self, attempt: AttemptStarted, own: Price) -> Mapping[str, Any]:
        key = (attempt.plugin, attempt.model, id(own))
        found = self._rows.get(key)
        if found is None or found[0] is not own:
            if len(self._rows) > 4096:  # names of models come from callers
                self._rows.clear()
            found = self._rows[key] = own, _as_row(attempt, own)
        return found[1]


def imported_prices(connection: Connection) -> PriceBook:
    """The operator's prices as the database has them."""
    found = connection.execute(select(price).where(price.c.origin == "imported")).mappings()
    return PriceBook(
        PriceRow(
            id=row["id"],
            provider=row["provider"],
            model=row["model"],
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
            vat=row["vat"],
            price=Price(
                prompt=row["prompt"],
                completion=row["completion"],
                cached=row["cached"],
                currency=row["currency"],
                tool=row["tool"],
                reasoning=row["reasoning"],
                request=row["request"],
                source=row["source"],
                checked_on=row["checked_on"],
            ),
        )
        for row in found
    )


def _cost(own: Price, row: Row) -> int | None:
    return cost_of(
        own,
        prompt=row[_PROMPT],
        completion=row[_COMPLETION],
        cached=row[_CACHED],
        tool=row[_TOOL],
        reasoning=row[_REASONING],
        operation=row[_OPERATION],
    )


def _as_row(attempt: AttemptStarted, own: Price) -> Mapping[str, Any]:
    """A price that came with an attempt, as a row whose id follows from what it says."""
    amounts = {name: getattr(own, name) for name in ("prompt", "completion", "cached", "tool", "reasoning", "request")}
    model = attempt.model or "*"
    said = repr((attempt.plugin, model, own.currency, sorted(amounts.items())))
    return {
        "id": f"seen-{blake2b(said.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}",
        "provider": attempt.plugin or "*",
        "model": model,
        "valid_from": 0,
        "valid_to": None,
        "currency": own.currency,
        **amounts,
        "source": own.source,
        "checked_on": own.checked_on,
        "vat": None,
        "origin": "observed",
    }
