"""The actions of ``mlo gateway`` on organizations, projects and members."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import Any

from mlo_gateway.accounts.acting import Acting
from mlo_gateway.accounts.first_key import DEFAULT, ensure_default_project
from mlo_gateway.accounts.members import add_member, change_member, list_members, remove_member
from mlo_gateway.accounts.organizations import (
    change_organization,
    close_organization,
    create_organization,
    list_organizations,
)
from mlo_gateway.accounts.projects import change_project, close_project, create_project, list_projects
from mlo_gateway.accounts.service import Accounts

from .everything import everything
from .output import print_json, print_rows, remark
from .place import operator
from .texts import text

__all__ = [
    "add_member_",
    "change_member_",
    "change_organization_",
    "change_project_",
    "close_organization_",
    "close_project_",
    "create_organization_",
    "create_project_",
    "list_members_",
    "list_organizations_",
    "list_projects_",
    "remove_member_",
]


async def list_organizations_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway organizations list``."""
    found = await accounts.look(operator(), lambda look: everything(look, list_organizations))
    rows = [(each.name, each.title, _state(each.closed)) for each in found]
    return _listed(arguments, found, ("name", "title", "state"), rows)


async def create_organization_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway organizations create``."""
    return await _done(
        accounts, arguments, lambda act: create_organization(act, name=arguments.name, title=arguments.title)
    )


async def change_organization_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway organizations change``."""
    return await _done(accounts, arguments, lambda act: change_organization(act, arguments.name, title=arguments.title))


async def close_organization_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway organizations close``."""
    return await _done(accounts, arguments, lambda act: close_organization(act, arguments.name))


async def list_projects_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway projects list``."""
    found = await accounts.look(
        operator(),
        lambda look: everything(
            look, lambda each, page: list_projects(each, page, organization=arguments.organization)
        ),
    )
    rows = [(each.name, each.organization, each.plan, each.title, _state(each.closed)) for each in found]
    return _listed(arguments, found, ("name", "organization", "plan", "title", "state"), rows)


async def create_project_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway projects create``."""
    if arguments.organization == DEFAULT:
        await ensure_default_project(accounts)
    return await _done(
        accounts,
        arguments,
        lambda act: create_project(
            act,
            name=arguments.name,
            organization=arguments.organization,
            plan=arguments.plan,
            title=arguments.title,
        ),
    )


async def change_project_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway projects change``."""
    return await _done(
        accounts,
        arguments,
        lambda act: change_project(act, arguments.name, title=arguments.title, plan=arguments.plan),
    )


async def close_project_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway projects close``."""
    return await _done(accounts, arguments, lambda act: close_project(act, arguments.name))


async def list_members_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway members list``."""
    found = await accounts.look(
        operator(),
        lambda look: everything(look, lambda each, page: list_members(each, page, organization=arguments.organization)),
    )
    rows = [(each.id, each.name, each.role, each.organization, each.project or "") for each in found]
    return _listed(arguments, found, ("id", "name", "role", "organization", "project"), rows)


async def add_member_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway members add``."""
    if arguments.organization == DEFAULT:
        await ensure_default_project(accounts)
    return await _done(
        accounts,
        arguments,
        lambda act: add_member(
            act,
            organization=arguments.organization,
            project=arguments.project,
            name=arguments.name,
            role=arguments.role,
        ),
    )


async def change_member_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway members change``."""
    return await _done(accounts, arguments, lambda act: change_member(act, arguments.id, role=arguments.role))


async def remove_member_(accounts: Accounts, arguments: Namespace) -> int:
    """``mlo gateway members remove``."""
    return await _done(accounts, arguments, lambda act: remove_member(act, arguments.id))


async def _done(accounts: Accounts, arguments: Namespace, function: Callable[[Acting], Any]) -> int:
    made = await accounts.act(operator(), function)
    if arguments.json:
        print_json(made)
    else:
        remark(text("done", name=getattr(made, "id", made.name)))
    return 0


def _listed(arguments: Namespace, found: Any, heads: tuple[str, ...], rows: Sequence[Sequence[str]]) -> int:
    if arguments.json:
        print_json(found)
    else:
        print_rows(heads, rows)
    return 0


def _state(closed: int | None) -> str:
    return text("open" if closed is None else "closed")
