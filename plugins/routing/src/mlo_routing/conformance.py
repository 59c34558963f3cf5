"""How the contract of strategies is kept: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

from typing import ClassVar

from mlo_sdk.testing import StrategyContract

from .plugin import mlo_strategies

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

_SPECS = {spec.name: spec for spec in mlo_strategies()}


class TestRoundRobin(StrategyContract):
    """Turn by turn."""

    spec = _SPECS["round-robin"]


class TestRandom(StrategyContract):
    """By lot, the same one in every run."""

    spec = _SPECS["random"]
    options: ClassVar = {"seed": 1}


class TestWeighted(StrategyContract):
    """By lot with weights, one of them for a target that is not there."""

    spec = _SPECS["weighted"]
    options: ClassVar = {"weights": {"a": 3, "b": 0.5, "gone": 1}, "seed": 1}


class TestLeastLatency(StrategyContract):
    """By measured latency."""

    spec = _SPECS["least-latency"]
    options: ClassVar = {"half_life": 10, "seed": 1}


class TestLeastBusy(StrategyContract):
    """By calls under way."""

    spec = _SPECS["least-busy"]


class TestCheapest(StrategyContract):
    """By price, in two currencies."""

    spec = _SPECS["cheapest"]
    options: ClassVar = {"completion_share": 0.5, "rates": {"USD": 90}}


class TestSticky(StrategyContract):
    """The same target for the same session."""

    spec = _SPECS["sticky"]


class TestHedged(StrategyContract):
    """A race with a head start."""

    spec = _SPECS["hedged"]
    options: ClassVar = {"stagger": 0.2, "width": 2}


class TestCascade(StrategyContract):
    """Until an answer is good enough."""

    spec = _SPECS["cascade"]
    options: ClassVar = {"min_length": 10, "json": "never"}
