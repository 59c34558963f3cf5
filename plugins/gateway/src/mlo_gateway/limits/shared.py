"""Limits that all replicas keep together, in Redis."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

import anyio
from attrs import define, frozen

from mlo_gateway.contracts import GatewayError, Header, Principal, Ticket

from .background import beside
from .config import LimitsConfig
from .gcra import Rate
from .link import Link, LinkState, Request, Unreachable, open_link
from .memory import LocalLimiter
from .rules import Refusal, Rule, headers_of, refused, rules_for

__all__ = ["SharedLimiter", "SharedTicket", "open_shared"]


@frozen
class _Plan:
    """The rules of a principal and where each is counted. ``basis`` is what they were made from."""

    basis: object
    rules: tuple[Rule, ...]
    gauges: tuple[tuple[str, Rule], ...]
    meters: tuple[tuple[str, Rule, Rate], ...]

    def enter(self, lease: str, milliseconds: int, tokens: int) -> Request:
        gauges = [[key, rule.limit] for key, rule in self.gauges]
        meters = [[key, rate.limit, rate.burst, _cost(rule, tokens)] for key, rule, rate in self.meters]
        return ["enter", lease, milliseconds, gauges, meters]

    def leave(self, lease: str, reserved: int, used: int | None) -> Request:
        """The request that ends one; with ``used`` unknown the estimate stands."""
        gauges = [key for key, _ in self.gauges]
        if used is None:
            return ["leave", lease, gauges, []]
        corrections = (
            (key, rate, used - min(reserved, rate.burst)) for key, rule, rate in self.meters if rule.kind == "tokens"
        )
        return ["leave", lease, gauges, [[key, rate.limit, units] for key, rate, units in corrections if units]]

    def undo(self, lease: str, tokens: int) -> Request:
        """The request that takes everything back."""
        meters = [[key, rate.limit, -min(_cost(rule, tokens), rate.burst)] for key, rule, rate in self.meters]
        return ["leave", lease, [key for key, _ in self.gauges], meters]


def _cost(rule: Rule, tokens: int) -> int:
    return tokens if rule.kind == "tokens" else 1


@define(eq=False)
class SharedTicket:
    """A request that was let in; see :class:`mlo_gateway.contracts.Ticket`."""

    _limiter: SharedLimiter
    _plan: _Plan
    _lease: str
    _tokens: int
    _levels: tuple[int, ...] = ()
    _alone: Ticket | None = None
    _left: bool = False

    @property
    def headers(self) -> Sequence[Header]:
        """The rate-limit headers, as of the moment of entry."""
        if self._alone is not None:
            return self._alone.headers
        return headers_of(zip((rule for _, rule, _ in self._plan.meters), self._levels, strict=True))

    def leave(self, tokens: int | None, /) -> None:
        """Give the place back, and correct the estimate where the truth is known."""
        if self._left:
            return
        self._left = True
        if self._alone is None:
            self._limiter.end(self._lease, self._plan.leave(self._lease, self._tokens, tokens))
        else:
            self._alone.leave(tokens)
            self._limiter.end(self._lease, self._plan.leave(self._lease, 0, None))


class SharedLimiter:
    """The limiter of a gateway of several replicas. While Redis is away each counts alone, or refuses, as configured.

    Every request under way holds a *lease* in Redis, which this object renews; those of a replica that was killed
    lapse. ``told`` hears of each rule that turns a request away.
    """

    def __init__(self, config: LimitsConfig, link: Link, told: Callable[[Rule], None] = lambda _rule: None) -> None:
        self._config, self._link, self._told = config, link, told
        self._local = LocalLimiter(config, told=told)
        self._plans: dict[str, _Plan] = {}
        self._leases: dict[str, _Plan] = {}
        self._owner, self._numbers = secrets.token_hex(8), count(1)

    @property
    def state(self) -> LinkState:
        """Whether the replicas count together."""
        return self._link.state

    def reconfigure(self, config: LimitsConfig) -> None:
        """Go by another configuration from here on; the server stays the same."""
        self._config = config
        self._plans.clear()
        self._local.reconfigure(config)

    def enter(self, principal: Principal, tokens: int, /) -> Ticket | Awaitable[Ticket]:
        """Let a request in; while Redis is away, at once.

        Raises:
            GatewayError: 429, with the scope and the time to wait; 503 when Redis is away and the policy ``closed``.
        """
        plan = self._plan(principal)
        lease = f"{self._owner}-{next(self._numbers)}"
        if not plan.rules:
            return SharedTicket(self, plan, lease, tokens)
        if not self._link.state.up:
            return self._counted_alone(principal, plan, lease, tokens)
        return self._counted_together(principal, plan, lease, tokens)

    def end(self, lease: str, request: Request) -> None:
        """Forget a lease, here and there."""
        if self._leases.pop(lease, None) is not None:
            self._link.tell(request)

    async def keep(self) -> None:
        """Renew the leases of requests under way, for ever; one task does."""
        while True:
            await anyio.sleep(self._config.lease / 3)
            by_key: dict[str, list[str]] = {}
            for lease, plan in self._leases.items():
                for key, _ in plan.gauges:
                    by_key.setdefault(key, []).append(lease)
            if by_key:
                self._link.tell(["renew", self._milliseconds(), list(by_key.items())])

    async def _counted_together(self, principal: Principal, plan: _Plan, lease: str, tokens: int) -> Ticket:
        def unclaimed(answer: str) -> None:
            if answer.startswith("1"):
                self._link.tell(plan.undo(lease, tokens))

        try:
            answer = await self._link.ask(plan.enter(lease, self._milliseconds(), tokens), unclaimed)
        except Unreachable:
            return self._counted_alone(principal, plan, lease, tokens)
        verdict, *numbers = answer.split(" ")
        if verdict == "0":
            refusal = _refusal(plan, *map(int, numbers))
            self._told(refusal.rule)
            raise refused(refusal)
        self._leases[lease] = plan
        return SharedTicket(self, plan, lease, tokens, tuple(map(int, numbers)))

    def _counted_alone(self, principal: Principal, plan: _Plan, lease: str, tokens: int) -> Ticket:
        if self._config.redis_down == "closed":
            message = "The rate limits cannot be checked at the moment. Please try again."
            raise GatewayError(503, "limits_unavailable", "server_error", message, retry_after=1.0)
        alone = self._local.enter(principal, tokens)
        self._leases[lease] = plan  # so that it counts for all once the server is back
        return SharedTicket(self, plan, lease, tokens, alone=alone)

    def _plan(self, principal: Principal) -> _Plan:
        plan = self._plans.get(principal.key_id)
        if plan is not None and plan.basis == principal.limits:
            return plan
        if len(self._plans) >= self._config.scopes:
            self._plans.clear()
        rules = rules_for(principal, self._config)
        plan = self._plans[principal.key_id] = _Plan(
            principal.limits,
            rules,
            tuple((self._key(rule), rule) for rule in rules if rule.rate is None),
            tuple((self._key(rule), rule, rule.rate) for rule in rules if rule.rate is not None),
        )
        return plan

    def _key(self, rule: Rule) -> str:
        return f"{{{self._config.prefix}}}:limits:{rule.name}"

    def _milliseconds(self) -> int:
        return max(1, round(self._config.lease * 1000))


def _refusal(plan: _Plan, index: int, wait: int) -> Refusal:
    rules = [rule for _, rule in plan.gauges] + [rule for _, rule, _ in plan.meters]
    return Refusal(rules[index], None if wait < 0 else wait)


@asynccontextmanager
async def open_shared(
    config: LimitsConfig,
    *,
    told: Callable[[Rule], None] = lambda _rule: None,
    path: str = "gateway.limits",
    clock: Callable[[], int] | None = None,
) -> AsyncIterator[SharedLimiter]:
    """A limiter on the server that ``config.redis`` names. ``clock`` replaces the server's, in microseconds.

    Raises:
        ConfigError: when the URL is none.
        ValueError: when there is no URL.
    """
    if config.redis is None:
        raise ValueError("LimitsConfig without `redis`: use LocalLimiter")
    root = f"{{{config.prefix}}}:limits"
    async with open_link(config.redis, root, patience=config.redis_timeout, path=f"{path}.redis", clock=clock) as link:
        limiter = SharedLimiter(config, link, told)
        async with beside(limiter.keep):
            yield limiter
