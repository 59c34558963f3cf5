"""The contract of providers, kept by the mock; what is checked stands in the distribution itself."""

from __future__ import annotations

from mlo_mock.conformance import TestMock, TestSlowMock

__all__ = ["TestMock", "TestSlowMock"]
