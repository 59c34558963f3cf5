"""Money and counts as people read them, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from mlo_ledger.pricing.amounts import as_decimal

from .texts import is_russian, text

__all__ = ["count_text", "money_text", "plural", "total_text"]

_NANO = 10**9
_CENT = _NANO // 100
_SIGNS = {"RUB": "₽"}


def money_text(nano: int, currency: str) -> str:
    """An amount with two decimals, rounded half up; below one hundredth as exact as it is, so that it is not nothing.

    >>> money_text(1_500, "RUB")
    '0.0000015 ₽'
    """
    if 0 < abs(nano) < _CENT:
        number = as_decimal(nano)
    else:
        cents = (abs(nano) + _CENT // 2) // _CENT
        sign = "-" if nano < 0 and cents else ""
        number = f"{sign}{_grouped(cents // 100)}.{cents % 100:02d}"
    if is_russian():
        number = number.replace(".", ",")
    return f"{number} {_SIGNS.get(currency, currency)}"


def count_text(count: int) -> str:
    """A whole number with its thousands apart."""
    return _grouped(count)


def total_text(costs: Mapping[str, int], *, unknown: int, short: bool = True) -> str:
    """A sum per currency. What lacks the cost of ``unknown`` attempts is a lower limit, or unknown altogether."""
    if unknown and not costs:
        return "?" if short else text("unknown cost")
    amounts = " + ".join(money_text(nano, currency) for currency, nano in sorted(costs.items()))
    amounts = amounts or money_text(0, "RUB")
    if not unknown:
        return amounts
    return f"≥ {amounts}" if short else text("at least", amount=amounts)


def plural(count: int, key: str) -> str:
    """``count`` with the noun called ``key`` in the right form."""
    one, few, many = text(key).split("|")
    if not is_russian():
        form = one if count == 1 else many
    elif count % 10 == 1 and count % 100 != 11:
        form = one
    else:
        form = few if count % 10 in {2, 3, 4} and count % 100 not in {12, 13, 14} else many
    return f"{_grouped(count)} {form}"


def _grouped(count: int) -> str:
    return f"{count:,}".replace(",", " ") if is_russian() else f"{count:,}"
