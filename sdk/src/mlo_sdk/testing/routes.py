"""Driving a strategy by hand: targets, outcomes, and the kernel's part of the conversation."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import Any, Literal

from attrs import define

from mlo.api import AsyncSteps, Steps, Strategy
from mlo.errors import Overloaded
from mlo.messages import Message
from mlo.models import Capability, Price
from mlo.responses import ChatResponse
from mlo.routing import Outcome, Request, Step, Target

from .demands import demand, fail

__all__ = ["FakeStats", "advance", "check_step", "close", "failed", "run_route", "succeeded", "target"]


@define
class FakeStats:
    """Live numbers of a target, to be set by a test."""

    in_flight: int = 0
    breaker: Literal["closed", "open", "half-open"] = "closed"
    load: float | None = None


def target(name: str, *, stats: FakeStats | None = None, price: Price | None = None, **fields: Any) -> Target:
    """A target called ``name``, of a provider instance with the same name."""
    return Target(
        name=name,
        provider=name.partition(":")[0],
        capabilities=frozenset(Capability),
        price=price,
        stats=stats or FakeStats(),
        **fields,
    )


def succeeded(target: Target, latency: float = 0.1, text: str = "Ответ") -> Outcome:
    """A success."""
    return Outcome(target=target, latency=latency, response=ChatResponse(message=Message.assistant(text)))


def failed(target: Target, error: Exception | None = None, latency: float = 0.1) -> Outcome:
    """A failure: by default one after which both others and the same target may be tried."""
    return Outcome(target=target, error=error or Overloaded("too busy", target=target.name), latency=latency)


async def advance(steps: Steps | AsyncSteps, outcomes: Sequence[Outcome] | None = None) -> Step | None:
    """The next step (the first one without ``outcomes``), or ``None`` at the end."""
    if not isinstance(steps, AsyncGenerator | Generator):
        fail(f"route() must be a generator of steps, and returned {type(steps).__name__}")
    try:
        if isinstance(steps, AsyncGenerator):
            return await (anext(steps) if outcomes is None else steps.asend(outcomes))
        return next(steps) if outcomes is None else steps.send(outcomes)
    except (StopIteration, StopAsyncIteration):
        return None


async def close(steps: Steps | AsyncSteps) -> None:
    """Close the generator, as the kernel does after a success."""
    if isinstance(steps, AsyncGenerator):
        await steps.aclose()
    else:
        steps.close()


async def run_route(
    strategy: Strategy, request: Request, targets: Sequence[Target], answer: Callable[[Target], Outcome]
) -> list[Step]:
    """The steps that ``strategy`` proposes, up to and including the first success.

    Raises:
        ContractBroken: when it proposes what it may not, or does not come to an end.
    """
    steps = strategy.route(request, targets)
    proposed: list[Step] = []
    outcomes: list[Outcome] | None = None
    while (step := await advance(steps, outcomes)) is not None:
        check_step(step, targets)
        proposed.append(step)
        demand(
            len(proposed) <= 4 * len(targets) + 16,
            f"{len(proposed)} steps for {len(targets)} targets and still no end: the kernel would break it off",
        )
        outcomes = [answer(place) for place in step.targets]
        if any(outcome.error is None for outcome in outcomes):
            await advance(steps, outcomes)
            break
    await close(steps)
    return proposed


def check_step(step: object, targets: Sequence[Target]) -> None:
    """A step that the kernel can carry out.

    Raises:
        ContractBroken: when something is amiss.
    """
    if not isinstance(step, Step):
        fail(f"route() must yield Step values, not {type(step).__name__}")
    demand(type(step.targets) is tuple, "Step.targets must be a tuple")
    demand(step.targets, "a Step needs at least one target")
    strange = [place.name for place in step.targets if not any(place is given for given in targets)]
    demand(not strange, f"proposed {strange}, which are not among the targets given: never make or keep targets")
    names = [place.name for place in step.targets]
    demand(len(set(names)) == len(names), f"a step proposes a target twice: {names}")
    chance = step.probability
    demand(chance is None or 0 < chance <= 1, f"Step.probability is {chance!r}: more than 0, at most 1, or None")
    unknown = step.scores.keys() - {place.name for place in targets}
    demand(not unknown, f"Step.scores names {sorted(unknown)}, which are not among the targets given")
    demand(all(map(math.isfinite, step.scores.values())), "Step.scores must be finite numbers")
    for what, pause in (("stagger", step.stagger), ("wait", step.wait)):
        demand(math.isfinite(pause) and pause >= 0, f"Step.{what} is {pause!r}: seconds, 0 or more")
