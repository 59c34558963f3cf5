"""Walks a strategy without an event loop: the strategies of this plugin are plain generators."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from mlo.api import Strategy
from mlo.routing import Outcome, Request, Step, Target
from mlo_sdk.testing import failed, succeeded

__all__ = ["order", "order_now", "steps"]


def steps(
    strategy: Strategy, request: Request, targets: Sequence[Target], answer: Callable[[Target], Outcome] = failed
) -> list[Step]:
    """The steps up to the first success."""
    route = strategy.route(request, targets)
    assert isinstance(route, Generator)
    proposed: list[Step] = []
    outcomes: list[Outcome] | None = None
    while True:
        try:
            step = next(route) if outcomes is None else route.send(outcomes)
        except StopIteration:
            return proposed
        if outcomes is not None and any(outcome.error is None for outcome in outcomes):
            route.close()
            return proposed
        proposed.append(step)
        outcomes = [answer(target) for target in step.targets]


def order(
    strategy: Strategy, request: Request, targets: Sequence[Target], answer: Callable[[Target], Outcome] = failed
) -> list[str]:
    """The names of the targets in the order in which they are proposed."""
    return [target.name for step in steps(strategy, request, targets, answer) for target in step.targets]


def order_now(strategy: Strategy, request: Request, targets: Sequence[Target]) -> list[str]:
    """The same when the first one succeeds."""
    return order(strategy, request, targets, succeeded)
