from __future__ import annotations

from typing import ClassVar

from mlo_routing.plugin import mlo_strategies
from mlo_sdk.testing import StrategyContract

SPECS = {spec.name: spec for spec in mlo_strategies()}


class TestRoundRobin(StrategyContract):
    spec = SPECS["round-robin"]


class TestRandom(StrategyContract):
    spec = SPECS["random"]
    options: ClassVar = {"seed": 1}


class TestWeighted(StrategyContract):
    spec = SPECS["weighted"]
    options: ClassVar = {"weights": {"a": 3, "b": 0.5, "gone": 1}, "seed": 1}


class TestLeastLatency(StrategyContract):
    spec = SPECS["least-latency"]
    options: ClassVar = {"half_life": 10, "seed": 1}


class TestLeastBusy(StrategyContract):
    spec = SPECS["least-busy"]


class TestCheapest(StrategyContract):
    spec = SPECS["cheapest"]
    options: ClassVar = {"completion_share": 0.5, "rates": {"USD": 90}}


class TestSticky(StrategyContract):
    spec = SPECS["sticky"]


class TestHedged(StrategyContract):
    spec = SPECS["hedged"]
    options: ClassVar = {"stagger": 0.2, "width": 2}


class TestCascade(StrategyContract):
    spec = SPECS["cascade"]
    options: ClassVar = {"min_length": 10, "json": "never"}
