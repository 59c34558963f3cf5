"""Limits that one process keeps for itself: no waiting, no network, memory bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from attrs import define, field

from mlo_gateway.contracts import GatewayError, Header, Principal

from .config import LimitsConfig
from .gcra import Rate, corrected, level_at, taken, wait_for
from .rules import Refusal, Rule, headers_of, refused, rules_for

__all__ = ["LocalLimiter", "LocalTicket", "Microseconds", "monotonic"]

Microseconds = Callable[[], int]

_FEW = 1024
_SECOND = 1_000_000


def monotonic() -> int:
    """The clock of this process: microseconds that never go back."""
    return time.monotonic_ns() // 1000


def _nobody(_rule: Rule) -> None:
    pass


@define
class _Count:
    """What is kept of one rule: a level and its time. ``pinned`` counts the requests under way."""

    level: int = 0
    at: int = 0
    pinned: int = 0

    def is_idle(self, rate: Rate | None, now: int) -> bool:
        """Whether forgetting it changes nothing."""
        return not self.pinned and (rate is None or not level_at(self.level, self.at, rate, now))


_Rated = tuple[Rule, Rate, _Count]
_Held = tuple[Rule, _Count]


@define
class _Checks:
    """The rules of a principal, each with its count. ``basis`` is what they were made from."""

    basis: object
    held: tuple[_Held, ...]
    rated: tuple[_Rated, ...]


@define(eq=False)
class LocalTicket:
    """A request that was let in; see :class:`mlo_gateway.contracts.Ticket`."""

    _limiter: LocalLimiter
    _checks: _Checks
    _tokens: int
    _levels: tuple[int, ...]
    _left: bool = False

    @property
    def headers(self) -> Sequence[Header]:
        """The rate-limit headers, as of the moment of entry."""
        rules = (rule for rule, _, _ in self._checks.rated)
        return headers_of(zip(rules, self._levels, strict=True))

    def leave(self, tokens: int | None, /) -> None:
        """Give the place back, and correct the estimate where the truth is known."""
        if not self._left:
            self._left = True
            self._limiter.settle(self._checks, self._tokens, tokens)


@define(eq=False)
class LocalLimiter:
    """The limiter of a gateway of one process. ``told`` hears of each rule that turns a request away."""

    _config: LimitsConfig = field(factory=LimitsConfig)
    _clock: Microseconds = monotonic
    _told: Callable[[Rule], None] = _nobody
    _counts: dict[str, tuple[Rate | None, _Count]] = field(factory=dict, init=False, repr=False)
    _known: dict[str, _Checks] = field(factory=dict, init=False, repr=False)
    _sweep_at: int = field(default=_FEW, init=False)
    _swept: int = field(default=0, init=False)

    @property
    def size(self) -> int:
        """How many limits are remembered."""
        return len(self._counts)

    def reconfigure(self, config: LimitsConfig) -> None:
        """Go by another configuration from here on; what has been counted stays."""
        self._config = config
        self._known.clear()

    def enter(self, principal: Principal, tokens: int, /) -> LocalTicket:
        """Let a request in.

        Raises:
            GatewayError: 429, with the scope and the time to wait; 503 when too many scopes are busy at once.
        """
        now = self._clock()
        checks = self._known.get(principal.key_id)
        if checks is None or checks.basis != principal.limits:
            checks = self._checks(principal, now)
        for rule, count in checks.held:
            if count.pinned >= rule.limit:
                raise self._refused(Refusal(rule, None))
        levels: list[int] = []
        for rule, rate, count in checks.rated:
            level = level_at(count.level, count.at, rate, now)
            count.at = min(count.at, now)  # after a step back of the clock
            cost = tokens if rule.kind == "tokens" else 1
            wait = wait_for(level, rate, cost)
            if wait:
                raise self._refused(Refusal(rule, wait))
            levels.append(taken(level, rate, cost))
        for (_, _, count), level in zip(checks.rated, levels, strict=True):
            count.level, count.at = level, now
            count.pinned += 1
        for _, count in checks.held:
            count.pinned += 1
        return LocalTicket(self, checks, tokens, tuple(levels))

    def settle(self, checks: _Checks, reserved: int, used: int | None) -> None:
        """End a request: its place is free, and its tokens are what they were."""
        now = self._clock()
        for _, count in checks.held:
            count.pinned -= 1
        for rule, rate, count in checks.rated:
            count.pinned -= 1
            if used is not None and rule.kind == "tokens":
                count.level = corrected(level_at(count.level, count.at, rate, now), rate, reserved, used)
                count.at = now

    def _refused(self, refusal: Refusal) -> GatewayError:
        self._told(refusal.rule)
        return refused(refusal)

    def _checks(self, principal: Principal, now: int) -> _Checks:
        rules = rules_for(principal, self._config)
        wanted = len(self._counts) + len(rules)
        if wanted > self._sweep_at or (wanted > self._config.scopes and now - self._swept >= _SECOND):
            self._sweep(now)
        if len(self._counts) + len(rules) > self._config.scopes:
            raise GatewayError(
                503, "overloaded", "server_error", "Too many clients at once. Please try again.", retry_after=1.0
            )
        checks = _Checks(
            basis=principal.limits,
            held=tuple((rule, self._count(rule)) for rule in rules if rule.rate is None),
            rated=tuple((rule, rule.rate, self._count(rule)) for rule in rules if rule.rate is not None),
        )
        if len(self._known) >= self._config.scopes:
            self._known.clear()
        self._known[principal.key_id] = checks
        return checks

    def _count(self, rule: Rule) -> _Count:
        _, count = self._counts.get(rule.name) or (None, _Count())
        self._counts[rule.name] = (rule.rate, count)
        return count

    def _sweep(self, now: int) -> None:
        """Forget what is as good as new. Tickets and checks hold their counts, so the checks are forgotten, too."""
        self._counts = {name: kept for name, kept in self._counts.items() if not kept[1].is_idle(kept[0], now)}
        self._known.clear()
        self._sweep_at, self._swept = max(_FEW, 2 * len(self._counts)), now
