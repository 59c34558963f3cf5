"""Strategies that share calls out: in turn, at random, by weight."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from itertools import count
from random import Random

from mlo.routing import Outcome, Request, Step, Target

from .options import NoOptions, RandomOptions, WeightedOptions

__all__ = ["RandomOrder", "RoundRobin", "Turns", "Weighted"]


class Turns:
    """Who was chosen how long ago. Several threads may share it: at worst two of them choose alike."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._last: dict[str, int] = {}

    def longest_ago(self, targets: Sequence[Target]) -> int:
        """The place of the target whose turn it is: never chosen, or longest ago; among equals the first."""
        last = self._last
        return min(range(len(targets)), key=lambda place: last.get(targets[place].name, 0))

    def take(self, target: Target) -> None:
        """Note that ``target`` has had its turn."""
        self._last[target.name] = next(self._numbers)


class RoundRobin:
    """Each call starts at the next target, and falls over to those after it, cyclically.

    Turns are kept by name, so the sharing stays fair while some targets are left out.
    """

    def __init__(self, _options: NoOptions | None = None) -> None:
        self._turns = Turns()

    def route(self, _request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once, beginning with the one whose turn it is."""
        start = self._turns.longest_ago(targets)
        self._turns.take(targets[start])
        for target in (*targets[start:], *targets[:start]):
            yield Step((target,), probability=1.0)


class RandomOrder:
    """Each call takes the targets in an order of its own."""

    def __init__(self, options: RandomOptions | None = None) -> None:
        self._rng = Random((options or RandomOptions()).seed)  # noqa: S311 - load, not secrets

    def route(self, _request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once, shuffled."""
        left = len(targets)
        for target in self._rng.sample(targets, left):
            yield Step((target,), probability=1 / left)
            left -= 1


class Weighted:
    """The chance of each target to be next is its share in the weights of those not yet tried.

    Targets of weight 0 come last, in the order of the route.
    """

    def __init__(self, options: WeightedOptions | None = None) -> None:
        options = options or WeightedOptions()
        self._weights = options.weights
        self._rng = Random(options.seed)  # noqa: S311 - load, not secrets

    def route(self, _request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once."""
        left = {target.name: self._weight(target) for target in targets}
        for target in sorted(targets, key=self._lot):
            total = sum(left.values())
            yield Step((target,), scores=dict(left), probability=left[target.name] / total if total else 1.0)
            del left[target.name]

    def _weight(self, target: Target) -> float:
        weights = self._weights
        return weights.get(target.name, weights.get(target.provider, 1.0))

    def _lot(self, target: Target) -> float:
        # an exponential variable of rate w: the smallest of several is w / sum(w) of the time, and so on for the rest
        weight = self._weight(target)
        return self._rng.expovariate(weight) if weight > 0 else math.inf
