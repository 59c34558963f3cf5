"""What a plan and a key's own limits come to: rates for the limiter, monthly limits for the ledger. Pure."""

from __future__ import annotations

from mlo_gateway.limits.allowances import Allowance
from mlo_ledger.limits import Limit

from .config import PlanConfig
from .plans import budget_of
from .records import ApiKey

__all__ = ["allowances_for", "key_scope", "limits_for", "project_scope"]


def key_scope(ident: str) -> str:
    """The scope of a key's own limits."""
    return f"key:{ident}"


def project_scope(name: str) -> str:
    """The scope of a project's limits, which all of its keys share."""
    return f"project:{name}"


def allowances_for(key: ApiKey, terms: PlanConfig) -> tuple[Allowance, ...]:
    """The rates that the plan and the key set, widest scope first."""
    every = (
        Allowance(
            scope=project_scope(key.project),
            requests=terms.requests_minute,
            tokens=terms.tokens_minute,
            concurrency=terms.concurrency,
        ),
        Allowance(
            scope=key_scope(key.id),
            requests=key.limits.requests_minute,
            tokens=key.limits.tokens_minute,
            concurrency=key.limits.concurrency,
        ),
    )
    return tuple(each for each in every if (each.requests, each.tokens, each.concurrency) != (None, None, None))


def limits_for(key: ApiKey, terms: PlanConfig) -> tuple[Limit, ...]:
    """The monthly limits that the plan and the key set. A key's own ones always block."""
    every = (
        Limit(
            scope=project_scope(key.project),
            requests=terms.requests_month,
            nano=budget_of(terms.budget),
            period="month",
            time_zone=terms.time_zone,
            overage=terms.overage,
        ),
        Limit(
            scope=key_scope(key.id),
            requests=key.limits.requests_month,
            nano=key.limits.budget,
            period="month",
            time_zone=terms.time_zone,
            overage="block",
        ),
    )
    return tuple(each for each in every if (each.requests, each.nano) != (None, None))
