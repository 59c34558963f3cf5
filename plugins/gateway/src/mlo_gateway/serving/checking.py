"""What readiness of a gateway depends on, and what else its page tells."""

from __future__ import annotations

import time
from typing import cast

from mlo_ledger.state import LedgerState

from .health import Check, Verdict
from .measuring import LedgerSource
from .parts import Parts
from .places import ledger_config

__all__ = ["add_checks", "verdict_on"]


def add_checks(parts: Parts) -> None:
    """Have ``parts.checks`` ask about the router, the limits, the ledger and the accounts."""
    checks: dict[str, Check] = {
        "router": lambda: _router(parts),
        "limits": lambda: _limits(parts),
        "ledger": lambda: _ledger(parts),
        "accounts": lambda: _accounts(parts),
    }
    for name, check in checks.items():
        parts.checks.add(name, check)


async def _router(parts: Parts) -> Verdict:
    return Verdict(ok=parts.router.is_open, state="open" if parts.router.is_open else "closed")


async def _limits(parts: Parts) -> Verdict:
    # a replica that counts alone still serves
    return Verdict(ok=True, state=parts.limiting.state)


async def _ledger(parts: Parts) -> Verdict:
    ledger = cast("LedgerSource | None", parts.data_plane.gateway.ledger)
    if ledger is None:
        return Verdict(ok=True, state="none")
    config = ledger_config(parts.router.settings)
    return verdict_on(ledger.state(), 0.0 if config is None else config.strict_grace, time.time())


async def _accounts(parts: Parts) -> Verdict:
    if parts.accounts is None:
        return Verdict(ok=True, state="off")
    # keys in memory go on opening while the database is away
    away = parts.accounts.ring.state.away_since is not None
    return Verdict(ok=True, state="database away: keys in memory go on working" if away else "reachable")


def verdict_on(ledger: LedgerState, grace: float, now: float) -> Verdict:
    """Whether traffic may come: not where every call must be accounted for, and cannot be any more."""
    if ledger.journal_error is None and ledger.database_error is None:
        return Verdict(ok=True, state="committing")
    what = "the journal cannot be written" if ledger.journal_error else "the database is away"
    over = ledger.journal_error is not None or (ledger.since is not None and now - ledger.since > grace)
    if ledger.policy == "strict" and over:
        return Verdict(ok=False, state=f"{what}: calls are refused")
    return Verdict(ok=True, state=f"{what}: {ledger.backlog} calls behind")
