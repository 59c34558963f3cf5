"""Rate limits, concurrency and admission: in process, or shared by replicas over Redis."""

from __future__ import annotations

from .allowances import Allowance, allowances_of
from .signals import HINTS, REVOKED, LocalSignals, Signals, Unsubscribe

__all__ = ["HINTS", "REVOKED", "Allowance", "LocalSignals", "Signals", "Unsubscribe", "allowances_of"]
