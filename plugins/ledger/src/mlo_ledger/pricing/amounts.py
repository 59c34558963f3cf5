"""Amounts of money as people write them, exactly in nano-units."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

__all__ = ["CURRENCIES", "UNITS", "as_decimal", "nano_per_million", "plain"]

UNITS: Mapping[str, int] = {"million tokens": 1, "thousand tokens": 1_000, "token": 1_000_000}
"""What a price of a file may be for, and how many of it make a million tokens."""
_NANO = 10**9
_LIMIT = 2**63
_MAX_DECIMALS = 40
# ISO 4217, active codes of currencies
_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB
RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD
UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
"""The currencies that a price may be in."""


def nano_per_million(value: Any, unit: str) -> int:
    """``value`` per ``unit`` as nano-units per million tokens.

    Raises:
        ValueError: when it is no amount, is negative, or cannot be kept exactly; says which.
    """
    return _whole(value, UNITS[unit] * _NANO)


def plain(value: Any) -> int:
    """``value`` in nano-units.

    Raises:
        ValueError: as :func:`nano_per_million`.
    """
    return _whole(value, _NANO)


def as_decimal(nano: int, scale: int = _NANO) -> str:
    """``nano`` divided by ``scale``, a power of ten, as exact text without useless zeros.

    >>> as_decimal(92_300_000_000)
    '92.3'
    """
    whole, fraction = divmod(abs(nano), scale)
    digits = str(fraction).zfill(len(str(scale)) - 1).rstrip("0") if fraction else ""
    return f"{'-' if nano < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def _whole(value: Any, factor: int) -> int:
    amount = _decimal(value)
    if amount < 0:
        raise ValueError(f"{amount} is negative")
    if amount and amount.adjusted() > len(str(_LIMIT)):
        raise ValueError(f"{amount} is more than the ledger can keep")
    numerator, denominator = amount.as_integer_ratio()
    nano, rest = divmod(numerator * factor, denominator)
    if rest:
        raise ValueError(f"{amount} has more decimals than the ledger keeps: it would be rounded")
    if nano >= _LIMIT:
        raise ValueError(f"{amount} is more than the ledger can keep")
    return nano


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is not an amount")  # noqa: TRY004 - a mistake in a file, as the others
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not an amount: write it like 92.3") from error
    if not amount.is_finite():
        raise ValueError(f"{amount} is not an amount")
    if amount and amount.adjusted() < -_MAX_DECIMALS:
        raise ValueError(f"{amount} has more decimals than the ledger keeps: it would be rounded")
    return amount
