"""Acts on organizations."""

from __future__ import annotations

import attrs
from sqlalchemy import select, update

from .acting import Acting, Looking
from .ending import end_keys
from .errors import conflict, missing
from .fields import checked_name, checked_title
from .paging import Cut, Page, cut
from .records import Organization, Place
from .schema import api_key, organization, project

__all__ = [
    "change_organization",
    "close_organization",
    "create_organization",
    "find_organization",
    "list_organizations",
]

_KIND = "organization"


def list_organizations(look: Looking, page: Cut) -> Page[Organization]:
    """The organizations that the actor may know of, by name."""
    query = select(organization)
    if look.actor.reach != "gateway":
        query = query.where(organization.c.name == look.actor.organization)
    rows, following = cut(look, query, organization.c.name, page)
    return Page(items=tuple(Organization(**row._mapping) for row in rows), next=following)  # noqa: SLF001


def find_organization(look: Looking, name: str) -> Organization:
    """The organization called ``name``.

    Raises:
        ActRefused: ``missing``.
    """
    row = look.connection.execute(select(organization).where(organization.c.name == name)).one_or_none()
    if row is None:
        raise missing(_KIND, name)
    found = Organization(**row._mapping)  # noqa: SLF001
    if look.actor.reach != "gateway" and found.name != look.actor.organization:
        raise missing(_KIND, name)
    return found


def create_organization(act: Acting, *, name: str, title: str = "") -> Organization:
    """A new organization. Names are never used twice: reports and the audit log go by them.

    Raises:
        ActRefused: ``invalid``, ``denied`` or ``conflict``.
    """
    act.demand("organizations", Place(), kind=_KIND, name=name)
    made = Organization(name=checked_name("name", name), title=checked_title("title", title), created=act.now)
    if act.connection.execute(select(organization.c.name).where(organization.c.name == name)).one_or_none():
        raise conflict(f"an organization {name!r} exists or existed", param="name")
    act.connection.execute(organization.insert().values(attrs.asdict(made)))
    act.record("organization.create", name, Place(organization=name), after={"title": title})
    return made


def change_organization(act: Acting, name: str, *, title: str) -> Organization:
    """Give an organization another title.

    Raises:
        ActRefused: ``missing``, ``invalid``, ``denied`` or ``conflict``.
    """
    found = _open(act, name)
    changed = attrs.evolve(found, title=checked_title("title", title))
    act.connection.execute(update(organization).where(organization.c.name == name).values(title=title))
    place = Place(organization=name)
    act.record("organization.change", name, place, before={"title": found.title}, after={"title": title})
    return changed


def close_organization(act: Acting, name: str) -> Organization:
    """Close an organization and its projects for good, and revoke all their keys. What they used stays.

    Raises:
        ActRefused: ``missing``, ``denied`` or ``conflict``.
    """
    found = _open(act, name)
    projects = select(project.c.name).where(project.c.organization == name)
    ended = end_keys(act, api_key.c.project.in_(projects))
    act.connection.execute(
        update(project).where(project.c.organization == name, project.c.closed.is_(None)).values(closed=act.now)
    )
    act.connection.execute(update(organization).where(organization.c.name == name).values(closed=act.now))
    act.record("organization.close", name, Place(organization=name), after={"keys_revoked": ended})
    return attrs.evolve(found, closed=act.now)


def _open(act: Acting, name: str) -> Organization:
    found = find_organization(act, name)
    act.demand("organizations", Place(organization=name), kind=_KIND, name=name)
    if found.closed is not None:
        raise conflict(f"the organization {name!r} is closed")
    return found
