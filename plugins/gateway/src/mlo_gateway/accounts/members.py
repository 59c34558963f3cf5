"""Acts on members: people with a role."""

from __future__ import annotations

import attrs
from sqlalchemy import select, update

from mlo_gateway.contracts import Role

from .acting import Acting, Looking
from .ending import end_keys, touch_keys
from .errors import conflict, denied, invalid, missing
from .fields import checked_title
from .organizations import find_organization
from .paging import Cut, Page, cut
from .permissions import covers, is_at_most
from .projects import open_project
from .records import Member, Place
from .schema import api_key, member
from .tokens import new_id

__all__ = ["add_member", "change_member", "find_member", "list_members", "place_of_member", "remove_member"]

_KIND = "member"


def list_members(look: Looking, page: Cut, *, organization: str | None = None) -> Page[Member]:
    """Those who have a role in what the actor covers, in the order in which they came."""
    query = select(member).where(member.c.removed.is_(None))
    if look.actor.reach == "organization":
        query = query.where(member.c.organization == look.actor.organization)
    if look.actor.reach == "project":
        query = query.where(member.c.project == look.actor.project)
    if organization is not None:
        query = query.where(member.c.organization == organization)
    rows, following = cut(look, query, member.c.id, page)
    return Page(items=tuple(Member(**row._mapping) for row in rows), next=following)  # noqa: SLF001


def find_member(look: Looking, ident: str) -> Member:
    """The member with this id, who was not removed.

    Raises:
        ActRefused: ``missing``.
    """
    row = look.connection.execute(select(member).where(member.c.id == ident, member.c.removed.is_(None))).one_or_none()
    found = None if row is None else Member(**row._mapping)  # noqa: SLF001
    if found is None or not covers(look.actor, place_of_member(found)):
        raise missing(_KIND, ident)
    return found


def add_member(act: Acting, *, organization: str, name: str, role: Role, project: str | None = None) -> Member:
    """Give somebody a role in an organization or in one project of it.

    Raises:
        ActRefused: ``missing``, ``invalid``, ``denied`` or ``conflict``.
    """
    if find_organization(act, organization).closed is not None:
        raise conflict(f"the organization {organization!r} is closed")
    if project is not None and open_project(act, project).organization != organization:
        raise missing("project", project)
    made = Member(
        id=new_id("member", act.now),
        organization=organization,
        project=project,
        name=checked_title("name", name),
        role=role,
        created=act.now,
    )
    place = place_of_member(made)
    act.demand("members", place, kind="organization", name=organization)
    if not name:
        raise invalid("name", "must not be empty")
    _demand_unique(act, made)
    act.connection.execute(member.insert().values(attrs.asdict(made)))
    act.record("member.add", made.id, place, after={"name": name, "role": role})
    return made


def change_member(act: Acting, ident: str, *, role: Role) -> Member:
    """Give a member another role; their keys follow if it is a lower one.

    Raises:
        ActRefused: ``missing`` or ``denied``.
    """
    found = _within_power(act, ident)
    if not is_at_most(role, act.actor.role):
        raise denied(f"the role {act.actor.role} cannot make somebody {role}")
    act.connection.execute(update(member).where(member.c.id == ident).values(role=role))
    touch_keys(act, api_key.c.member == ident)
    act.record("member.change", ident, place_of_member(found), before={"role": found.role}, after={"role": role})
    return attrs.evolve(found, role=role)


def remove_member(act: Acting, ident: str) -> Member:
    """Take a member's role away and revoke the keys that were made for them.

    Raises:
        ActRefused: ``missing`` or ``denied``.
    """
    found = _within_power(act, ident)
    ended = end_keys(act, api_key.c.member == ident)
    act.connection.execute(update(member).where(member.c.id == ident).values(removed=act.now))
    before = {"name": found.name, "role": found.role}
    act.record("member.remove", ident, place_of_member(found), before=before, after={"keys_revoked": ended})
    return attrs.evolve(found, removed=act.now)


def place_of_member(found: Member) -> Place:
    """Where a member's role holds."""
    return Place(organization=found.organization, project=found.project)


def _within_power(act: Acting, ident: str) -> Member:
    found = find_member(act, ident)
    act.demand("members", place_of_member(found), kind=_KIND, name=ident)
    return found


def _demand_unique(act: Acting, made: Member) -> None:
    same = select(member.c.id).where(
        member.c.organization == made.organization,
        member.c.project.is_(None) if made.project is None else member.c.project == made.project,
        member.c.name == made.name,
        member.c.removed.is_(None),
    )
    if act.connection.execute(same).first() is not None:
        raise conflict(f"{made.name!r} is a member already", param="name")
