"""The actions of ``mlo gateway`` on plans and on the audit log."""

from __future__ import annotations

from argparse import Namespace

import attrs

from mlo_gateway.accounts.audit_log import check_audit, list_events
from mlo_gateway.accounts.config import PlanConfig
from mlo_gateway.accounts.errors import ActRefused
from mlo_gateway.accounts.paging import Cut
from mlo_gateway.accounts.planning import drop_plan, set_plan
from mlo_gateway.accounts.service import Accounts

from .output import print_json, print_rows, remark, say
from .place import operator
from .texts import text
from .times import shown

__all__ = ["audit", "drop", "list_all", "set_one"]


async def list_all(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway plans list``."""
    found = await accounts.look(operator(), lambda look: list(look.plans.values()))
    if arguments.json:
        print_json(found)
        return 0
    rows = [
        (
            plan.name,
            plan.terms.title,
            "" if plan.terms.requests_month is None else str(plan.terms.requests_month),
            plan.terms.budget or "",
            plan.source,
        )
        for plan in found
    ]
    print_rows(("name", "title", "month", "budget", "source"), rows)
    return 0


async def set_one(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway plans set``."""
    names = [attribute.name for attribute in attrs.fields(PlanConfig)]
    try:
        terms = PlanConfig(**{name: getattr(arguments, name) for name in names})
    except ValueError as error:
        raise ActRefused("invalid", str(error)) from error
    made = await accounts.act(operator(), lambda act: set_plan(act, arguments.name, terms))
    if arguments.json:
        print_json(made)
    else:
        remark(text("done", name=made.name))
    return 0


async def drop(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway plans drop``."""
    await accounts.act(operator(), lambda act: drop_plan(act, arguments.name))
    remark(text("done", name=arguments.name))
    return 0


async def audit(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway audit``; with ``--check`` the exit code is 1 if the log was tampered with."""
    if arguments.check:
        return await _check(accounts, arguments)
    page = await accounts.look(
        operator(), lambda look: list_events(look, Cut(limit=arguments.limit), project=arguments.project)
    )
    if arguments.json:
        print_json(page.items)
        return 0
    rows = [
        (str(event.seq), shown(event.at), event.actor, event.action, event.target, event.project or "")
        for event in page.items
    ]
    print_rows(("seq", "at", "actor", "action", "target", "project"), rows)
    return 0


async def _check(accounts: Accounts, arguments: Namespace) -> int:
    found = await accounts.look(operator(), check_audit)
    if arguments.json:
        print_json(found)
    elif found.broken_at is None:
        say(text("intact", events=found.events))
    else:
        say(text(f"broken {found.reason}", seq=found.broken_at))
    return 0 if found.broken_at is None else 1
