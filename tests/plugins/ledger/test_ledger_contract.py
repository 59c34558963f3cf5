"""The contract of observers, kept by the ledger; what is checked stands in the distribution itself."""

from __future__ import annotations

from mlo_ledger.conformance import TestLedger

__all__ = ["TestLedger"]
