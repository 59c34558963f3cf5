"""The first key of a new database: no default password, and no page that whoever comes first could use."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from .acting import Acting, Looking
from .errors import ActRefused, conflict
from .keys import create_key
from .organizations import create_organization
from .projects import create_project
from .records import OPERATOR, SCOPES, ApiKey
from .schema import api_key, organization, project
from .service import Accounts
from .tokens import NewToken

__all__ = ["DEFAULT", "ensure_default_project", "first_key"]

DEFAULT = "default"
"""The name of the organization and of the project that a new database begins with."""


async def first_key(accounts: Accounts, *, name: str = "first key") -> tuple[ApiKey, NewToken] | None:
    """An owner's key for everything, if the database has no key yet; ``None`` if it has, even if that has ended.

    Of replicas that start at the same time one gets it.

    Raises:
        DatabaseUnavailable: when it cannot be read or written.
    """
    await ensure_default_project(accounts)
    if await accounts.look(OPERATOR, _has_keys):
        return None

    def create(act: Acting) -> tuple[ApiKey, NewToken]:
        if _has_keys(act):
            raise conflict("there is a key already")
        home = act.connection.execute(
            select(project.c.name).where(project.c.closed.is_(None)).order_by(project.c.created).limit(1)
        ).scalar_one_or_none()
        if home is None:
            raise conflict("there is no open project")
        return create_key(act, project_name=home, name=name, role="owner", reach="gateway", scopes=SCOPES)

    try:
        return await accounts.act(OPERATOR, create)
    except ActRefused:
        return None


async def ensure_default_project(accounts: Accounts) -> None:
    """Have the organization and the project called ``default`` in a database that has none at all.

    Raises:
        DatabaseUnavailable: when it cannot be read or written.
    """
    if not await accounts.look(OPERATOR, _has_organizations):
        await _unless_there(accounts, lambda act: create_organization(act, name=DEFAULT))
    if not await accounts.look(OPERATOR, _has_projects):
        await _unless_there(accounts, lambda act: create_project(act, name=DEFAULT, organization=DEFAULT))


async def _unless_there(accounts: Accounts, create: Callable[[Acting], object]) -> None:
    """Create what another replica may be creating at the same time."""
    try:
        await accounts.act(OPERATOR, create)
    except ActRefused as refused:
        if refused.reason != "conflict":
            raise


def _has_keys(look: Looking) -> bool:
    return look.connection.execute(select(api_key.c.id).limit(1)).first() is not None


def _has_organizations(look: Looking) -> bool:
    return look.connection.execute(select(organization.c.name).limit(1)).first() is not None


def _has_projects(look: Looking) -> bool:
    return look.connection.execute(select(project.c.name).limit(1)).first() is not None
