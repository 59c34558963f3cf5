"""Sums of events: what a row adds to ``usage_hour`` and to the windows of limits. Pure, and the same for audits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any, TypeAlias

from .events import AT
from .windows import scopes_of

__all__ = [
    "KEY",
    "MEASURES",
    "HourKey",
    "added",
    "by_names",
    "hour_sums",
    "is_unpriced",
    "key_of",
    "scopes_of_row",
    "window_nano",
]

KEY = ("hour", "organization", "project", "key_id", "provider", "model", "route", "status", "currency")
MEASURES = (
    "calls",
    "attempts",
    "requests",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "tool_tokens",
    "cost_nano",
    "held_nano",
    "unpriced",
    "estimated",
    "latency_us",
)
HourKey: TypeAlias = tuple[int, str, str, str, str, str, str, str, str]

_HOUR = 3_600_000_000
_TS, _FINAL, _NESTED, _DEPTH, _SCOPE = (AT[name] for name in ("ts", "final", "nested", "depth", "scope"))
_NAMES = tuple(AT[name] for name in ("organization", "project", "key_id", "provider"))
_MODEL, _ASKED, _ROUTE, _STATUS = (AT[name] for name in ("model", "model_asked", "route", "status"))
_CURRENCY, _REQUESTS, _COST, _HELD = (AT[name] for name in ("currency", "requests", "cost_nano", "held_nano"))
_TOKENS = tuple(AT[name] for name in MEASURES[3:8])
_SOURCE, _LATENCY, _ATTEMPT = (AT[name] for name in ("usage_source", "latency_us", "attempt"))
_AT_ONCE = 1_000
_tokens_in = itemgetter(*_TOKENS)
_parts_in = itemgetter(*_NAMES, _MODEL, _ASKED, _ROUTE, _STATUS, _CURRENCY)  # what a key is made of, but for the hour
_scopes_in = itemgetter(_SCOPE, *_NAMES[:3])


def key_of(row: Sequence[Any]) -> HourKey:
    """The roll-up that a row belongs to."""
    organization, project, key, provider = (row[place] or "" for place in _NAMES)
    hour = row[_TS] // _HOUR * 3_600
    model = row[_MODEL] or row[_ASKED] or ""
    return hour, organization, project, key, provider, model, row[_ROUTE], row[_STATUS], row[_CURRENCY] or ""


def is_unpriced(row: Sequence[Any]) -> bool:
    """Whether the attempt may have cost something, and nobody knows how much.

    A failed one without any usage is not: vendors do not bill errors.
    """
    if row[_COST] is not None or row[_NESTED] or not row[_ATTEMPT]:
        return False
    return row[_STATUS] not in {"error", "refused"} or row[_SOURCE] is not None


def added(row: Sequence[Any]) -> tuple[int, ...]:
    """What a row adds to the measures of its roll-up, in their order."""
    is_own = row[_ATTEMPT] > 0 and not row[_NESTED]
    prompt, completion, cached, reasoning, tool = _tokens_in(row)
    return (
        1 if row[_FINAL] and not row[_DEPTH] else 0,
        1 if is_own else 0,
        row[_REQUESTS],
        prompt or 0,
        completion or 0,
        cached or 0,
        reasoning or 0,
        tool or 0,
        row[_COST] or 0,
        row[_HELD],
        1 if is_unpriced(row) else 0,
        1 if row[_SOURCE] == "estimated" else 0,
        (row[_LATENCY] or 0) if is_own else 0,
    )


def hour_sums(rows: Iterable[Sequence[Any]]) -> dict[HourKey, list[int]]:
    """The roll-ups of some rows."""
    sums: dict[HourKey, list[int]] = {}
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        alike: dict[Any, list[Sequence[Any]]] = defaultdict(list)
        for row in some:
            alike[row[_TS] // _HOUR, _parts_in(row)].append(row)
        for group in alike.values():
            found = sums.setdefault(key_of(group[0]), [0] * len(MEASURES))
            for place, amount in enumerate(map(sum, zip(*map(added, group), strict=True))):
                found[place] += amount
    return sums


def by_names(rows: Iterable[list[Any]]) -> Iterable[list[list[Any]]]:
    """Rows in groups that count in the same scopes."""
    groups: dict[Any, list[list[Any]]] = defaultdict(list)
    for row in rows:
        groups[_scopes_in(row)].append(row)
    return groups.values()


def scopes_of_row(row: Sequence[Any]) -> tuple[str, ...]:
    """The scopes of limits that a row counts in."""
    if row[_SCOPE] is not None:
        return (row[_SCOPE],)
    organization, project, key = (row[place] for place in _NAMES[:3])
    return scopes_of(organization, project, key)


def window_nano(row: Sequence[Any]) -> int:
    """What a row counts for in limits on spending, which are in roubles."""
    cost: int | None = row[_COST]
    held: int = row[_HELD]
    return held + (cost if cost is not None and row[_CURRENCY] == "RUB" else 0)
