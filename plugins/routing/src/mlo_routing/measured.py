"""Strategies that look at numbers: latencies they have seen, load, prices."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from random import Random
from time import monotonic

from attrs import frozen

from mlo.errors import AnswerRejected, ProviderError, Unsupported
from mlo.models import Price
from mlo.requests import EmbeddingRequest
from mlo.routing import Outcome, Request, Step, Target

from .options import CheapestOptions, LeastLatencyOptions, NoOptions
from .rotation import Turns

__all__ = ["Cheapest", "LeastBusy", "LeastLatency"]

_MOST_KEPT = 0.9


@frozen
class _Measured:
    """A latency in seconds and when it was known."""

    value: float
    at: float


class LeastLatency:
    """Prefers targets that have answered quickly of late.

    Each target has a moving average of the time to its first event (to the whole answer where that is not streamed).
    It jumps up at a slower answer and comes down slowly, fades with ``half_life``, and counts once more for each call
    under way at the target. Of two targets drawn at random the cheaper one by this measure gets the call, which keeps
    callers from all rushing to the same target; a target never tried before goes first. Fallbacks follow by measure.
    """

    def __init__(self, options: LeastLatencyOptions | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        self._options = options or LeastLatencyOptions()
        self._rng = Random(self._options.seed)  # noqa: S311 - load, not secrets
        self._clock = clock
        self._known: dict[str, _Measured] = {}

    def route(self, _request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once; what the outcomes say is remembered for later calls."""
        left = list(targets)
        costs = self._costs(left)
        chosen, probability = self._first(left, costs)
        while True:
            left.remove(chosen)
            for outcome in (yield Step((chosen,), scores=costs, probability=probability)):
                self._learn(outcome)
            if not left:
                return
            costs = self._costs(left)
            chosen, probability = min(left, key=lambda target: costs[target.name]), 1.0

    def _costs(self, targets: Sequence[Target]) -> dict[str, float]:
        return {target.name: self._cost(target) for target in targets}

    def _first(self, targets: Sequence[Target], costs: Mapping[str, float]) -> tuple[Target, float]:
        """Whom to try first, and how likely that was."""
        untried = [target for target in targets if target.name not in self._known and not target.stats.in_flight]
        if untried:
            return untried[0], 1.0
        drawn = self._rng.sample(targets, min(2, len(targets)))
        chosen = min(drawn, key=lambda target: costs[target.name])
        return chosen, _chance_of_winning(chosen.name, costs)

    def _cost(self, target: Target) -> float:
        known = self._known.get(target.name)
        if known is None:
            # in flight for the first time: as slow as a failure until it is known better
            return self._options.penalty * target.stats.in_flight
        return self._faded(known, self._clock()) * (target.stats.in_flight + 1)

    def _faded(self, known: _Measured, now: float) -> float:
        return known.value * self._share(known, now)

    def _share(self, known: _Measured, now: float) -> float:
        return math.exp2(-max(0.0, now - known.at) / self._options.half_life)

    def _learn(self, outcome: Outcome) -> None:
        seen = self._seen(outcome)
        if seen is None:
            return
        now = self._clock()
        known = self._known.get(outcome.target.name)
        if known is not None and seen < self._faded(known, now):
            # the more time has passed since the last measurement, the more this one counts, but a tenth at least
            share = min(self._share(known, now), _MOST_KEPT)
            seen = known.value * share + seen * (1 - share)
        self._known[outcome.target.name] = _Measured(seen, now)

    def _seen(self, outcome: Outcome) -> float | None:
        error = outcome.error
        if isinstance(error, Unsupported):
            return None  # says something about the request, nothing about the target
        if error is None or isinstance(error, AnswerRejected):
            return outcome.latency if outcome.first_event is None else outcome.first_event
        asked = error.retry_after if isinstance(error, ProviderError) else None
        return max(outcome.latency, self._options.penalty, asked or 0.0)


def _chance_of_winning(name: str, costs: Mapping[str, float]) -> float:
    """The chance of being the cheaper of two targets drawn at random; of two equal ones the first drawn wins."""
    if len(costs) == 1:
        return 1.0
    own = costs[name]
    others = [cost for other, cost in costs.items() if other != name]
    beaten = sum(1.0 if own < cost else 0.5 if own == cost else 0.0 for cost in others)
    return beaten / math.comb(len(costs), 2)


class LeastBusy:
    """Prefers the target with the fewest calls under way, then the one that reports the lower load.

    Among equals it goes in turn. Each fallback is the least busy of the rest at that moment.
    """

    def __init__(self, _options: NoOptions | None = None) -> None:
        self._turns = Turns()

    def route(self, _request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once."""
        left = list(targets)
        while left:
            lowest = min(map(_busy, left))
            scores = {target.name: _score(target) for target in left}
            equals = [target for target in left if _busy(target) == lowest] or left
            chosen = equals[self._turns.longest_ago(equals)]
            self._turns.take(chosen)
            left.remove(chosen)
            outcomes = yield Step((chosen,), scores=scores, probability=1.0)
            if any(outcome.error is None for outcome in outcomes):
                return  # else the next one would lose its turn without having had it


def _busy(target: Target) -> tuple[int, float]:
    return target.stats.in_flight, target.stats.load or 0.0


def _score(target: Target) -> float:
    """The same order as one number: the reported load counts for less than one call."""
    return target.stats.in_flight + (target.stats.load or 0.0) / 2


class Cheapest:
    """Targets by price, the lowest first; those whose price nobody has said come last; equals in the route's order.

    The price of a token is the mean of the prompt's and the completion's, weighted by ``completion_share``; for
    embeddings it is the prompt's alone. How long a prompt is does not matter for the order.
    """

    def __init__(self, options: CheapestOptions | None = None) -> None:
        self._options = options or CheapestOptions()

    def route(self, request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once."""
        share = 0.0 if isinstance(request, EmbeddingRequest) else self._options.completion_share
        currencies = {target.price.currency for target in targets if target.price is not None}
        costs = {target.name: self._cost(target.price, share, one=len(currencies) == 1) for target in targets}
        scores = {name: cost for name, cost in costs.items() if cost < math.inf}
        for target in sorted(targets, key=lambda target: costs[target.name]):
            yield Step((target,), scores=scores, probability=1.0)

    def _cost(self, price: Price | None, share: float, *, one: bool) -> float:
        if price is None:
            return math.inf
        rate = self._options.rates.get(price.currency, 1.0 if one else math.inf)
        blend = price.prompt * (1 - share) + price.completion * share
        return blend * rate if blend else 0.0
