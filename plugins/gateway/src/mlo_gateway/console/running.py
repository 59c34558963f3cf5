"""Runs the actions of ``mlo keys`` and ``mlo gateway``."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import anyio

from mlo_gateway.accounts.service import Accounts

from . import key_actions, org_actions, plan_actions
from .output import remark
from .place import opened
from .texts import text

__all__ = ["run"]

Action: TypeAlias = Callable[[Accounts, Namespace], Awaitable[int]]


async def _migrate(_accounts: Accounts, _arguments: Namespace) -> int:
    remark(text("migrated"))  # opening them did it
    return 0


_ACTIONS: Mapping[tuple[str, str], Action] = {
    ("keys", "list"): key_actions.list_all,
    ("keys", "create"): key_actions.create,
    ("keys", "rotate"): key_actions.rotate,
    ("keys", "revoke"): key_actions.revoke,
    ("organizations", "list"): org_actions.list_organizations_,
    ("organizations", "create"): org_actions.create_organization_,
    ("organizations", "change"): org_actions.change_organization_,
    ("organizations", "close"): org_actions.close_organization_,
    ("projects", "list"): org_actions.list_projects_,
    ("projects", "create"): org_actions.create_project_,
    ("projects", "change"): org_actions.change_project_,
    ("projects", "close"): org_actions.close_project_,
    ("members", "list"): org_actions.list_members_,
    ("members", "add"): org_actions.add_member_,
    ("members", "change"): org_actions.change_member_,
    ("members", "remove"): org_actions.remove_member_,
    ("plans", "list"): plan_actions.list_all,
    ("plans", "set"): plan_actions.set_one,
    ("plans", "drop"): plan_actions.drop,
    ("audit", "list"): plan_actions.audit,
    ("migrate", "migrate"): _migrate,
}
_CREATE = frozenset({"create", "add", "set", "migrate"})


def run(arguments: Namespace) -> int:
    """Carry out what the arguments say; the exit code.

    Raises:
        MloError: when it cannot be done.
    """
    return anyio.run(_run, arguments)


async def _run(arguments: Namespace) -> int:
    async with opened(arguments, create=arguments.action in _CREATE) as accounts:
        return await _ACTIONS[arguments.thing, arguments.action](accounts, arguments)
