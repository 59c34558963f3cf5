"""The contract of strategies, kept by all of these; what is checked stands in the distribution itself."""

from __future__ import annotations

from mlo_routing.conformance import (
    TestCascade,
    TestCheapest,
    TestHedged,
    TestLeastBusy,
    TestLeastLatency,
    TestRandom,
    TestRoundRobin,
    TestSticky,
    TestWeighted,
)

__all__ = [
    "TestCascade",
    "TestCheapest",
    "TestHedged",
    "TestLeastBusy",
    "TestLeastLatency",
    "TestRandom",
    "TestRoundRobin",
    "TestSticky",
    "TestWeighted",
]
