"""What ``mlo-routing`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlo.api import StrategySpec
from mlo.hookspecs import hookimpl

from . import cascade, measured, options, racing, rotation, sticky

__all__ = ["mlo_api", "mlo_strategies"]

mlo_api = (1, 0)

_SPECS: tuple[StrategySpec[Any], ...] = (
    StrategySpec(
        name="round-robin", config=options.NoOptions, build=rotation.RoundRobin, summary="Each call starts at the next"
    ),
    StrategySpec(
        name="random", config=options.RandomOptions, build=rotation.RandomOrder, summary="A new order for each call"
    ),
    StrategySpec(
        name="weighted", config=options.WeightedOptions, build=rotation.Weighted, summary="At random, by weight"
    ),
    StrategySpec(
        name="least-latency",
        config=options.LeastLatencyOptions,
        build=measured.LeastLatency,
        summary="Quickest of late",
    ),
    StrategySpec(
        name="least-busy", config=options.NoOptions, build=measured.LeastBusy, summary="Fewest calls under way"
    ),
    StrategySpec(
        name="cheapest", config=options.CheapestOptions, build=measured.Cheapest, summary="Lowest price per token"
    ),
    StrategySpec(
        name="sticky", config=options.StickyOptions, build=sticky.Sticky, summary="A session stays with one target"
    ),
    StrategySpec(
        name="hedged", config=options.HedgedOptions, build=racing.Hedged, summary="Ask another when the first is slow"
    ),
    StrategySpec(
        name="cascade", config=options.CascadeOptions, build=cascade.Cascade, summary="Go on until the answer will do"
    ),
)


@hookimpl
def mlo_strategies() -> Iterable[StrategySpec[Any]]:
    """The strategies."""
    return _SPECS
