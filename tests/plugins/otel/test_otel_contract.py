"""The contract of observers, kept by ``otel``; what is checked stands in the distribution itself."""

from __future__ import annotations

from mlo_otel.conformance import TestOtel

__all__ = ["TestOtel"]
