"""What has to be checked for one principal, worked out once; and what clients are told of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from attrs import frozen

from mlo_gateway.contracts import GatewayError, Header, Principal

from .allowances import Allowance, allowances_of
from .config import LimitsConfig
from .gcra import PERIOD, Rate, remaining

__all__ = ["Kind", "Refusal", "Rule", "headers_of", "refused", "rules_for"]

Kind: TypeAlias = Literal["requests", "tokens", "concurrency"]

_SECOND = 1_000_000
_NAMES: Mapping[Kind, tuple[bytes, bytes, bytes]] = {
    "requests": (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests"),
    "tokens": (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens"),
}


@frozen
class Rule:
    """One limit of one scope. ``rate`` is ``None`` for concurrency, whose ``limit`` is a number at a time."""

    kind: Kind
    scope: str
    limit: int
    rate: Rate | None

    @property
    def name(self) -> str:
        """Where its count is kept."""
        return f"{self.kind}:{self.scope}"


@frozen
class Refusal:
    """Which rule said no, and in how many microseconds it will say yes (``None``: when somebody leaves)."""

    rule: Rule
    wait: int | None


def rules_for(principal: Principal, config: LimitsConfig) -> tuple[Rule, ...]:
    """The rules for a principal, concurrency first, with those of the whole gateway."""
    own = Allowance(scope="gateway", requests=config.requests, tokens=config.tokens, concurrency=config.concurrency)
    allowances = (*allowances_of(principal), own)
    return (
        *_rules(allowances, "concurrency", config),
        *_rules(allowances, "requests", config),
        *_rules(allowances, "tokens", config),
    )


def _rules(allowances: Iterable[Allowance], kind: Kind, config: LimitsConfig) -> Iterable[Rule]:
    for allowance in allowances:
        limit: int | None = getattr(allowance, kind)
        if limit is not None:
            burst = max(1, math.floor(limit * config.burst / 60))
            yield Rule(kind, allowance.scope, limit, None if kind == "concurrency" else Rate(limit=limit, burst=burst))


_MESSAGES = {
    "requests": "Rate limit reached for {scope}: {limit} requests per minute.",
    "tokens": "Rate limit reached for {scope}: {limit} tokens per minute.",
    "concurrency": "Too many requests under way for {scope}: {limit} at a time.",
}


def refused(refusal: Refusal, patience: float = 1.0) -> GatewayError:
    """The error for a refusal. ``patience`` is what to wait where nobody can know, in seconds."""
    rule = refusal.rule
    wait = patience if refusal.wait is None else refusal.wait / _SECOND
    message = _MESSAGES[rule.kind].format(scope=rule.scope, limit=rule.limit)
    if refusal.wait is not None:
        message += f" Please try again in {_duration(refusal.wait)}."
    return GatewayError(
        429,
        "rate_limit_exceeded" if rule.rate else "concurrency_limit_exceeded",
        rule.kind,
        message,
        retry_after=wait,
        details={"scope": rule.scope, "limit": rule.limit, "retry_after_ms": math.ceil(wait * 1000)},
    )


def headers_of(rated: Iterable[tuple[Rule, int]]) -> tuple[Header, ...]:
    """The headers that OpenAI's clients know, from the rules with their levels: of each kind the scarcest."""
    scarcest: dict[Kind, tuple[int, int, Rule]] = {}
    for rule, level in rated:
        if rule.rate is not None:
            free = remaining(level, rule.rate)
            known = scarcest.get(rule.kind)
            if known is None or free < known[0]:
                scarcest[rule.kind] = (free, level, rule)
    headers: list[Header] = []
    for kind, (free, level, rule) in scarcest.items():
        limit, left, reset = _NAMES[kind]
        headers += [(limit, b"%d" % rule.limit), (left, b"%d" % free), (reset, _reset(level, rule.limit))]
    return tuple(headers)


def _reset(level: int, limit: int) -> bytes:
    return _duration(-(-level // limit)).encode()


def _duration(microseconds: int) -> str:
    """A span as OpenAI's headers have it: ``17ms``, ``1.5s``, ``6m0s``, rounded up.

    >>> _duration(90_500_000)
    '1m30.5s'
    """
    milliseconds = -(-microseconds // 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, PERIOD // 1000)
    seconds = f"{rest / 1000:g}s"
    return f"{minutes}m{seconds}" if minutes else seconds
