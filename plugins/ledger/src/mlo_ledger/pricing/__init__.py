"""Prices as the ledger keeps them: which one applies, what a call costs at it, and files to import them from. Pure."""

from __future__ import annotations

from .checks import check_file, check_rows
from .costs import cost_of
from .files import PriceFile, parse_price_file
from .matching import PriceBook
from .merging import Merge, merge
from .rows import PriceRow, is_imported, price_id

__all__ = [
    "Merge",
    "PriceBook",
    "PriceFile",
    "PriceRow",
    "check_file",
    "check_rows",
    "cost_of",
    "is_imported",
    "merge",
    "parse_price_file",
    "price_id",
]
