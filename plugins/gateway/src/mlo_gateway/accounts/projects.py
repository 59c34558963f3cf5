"""Acts on projects."""

from __future__ import annotations

import attrs
from sqlalchemy import select, update

from .acting import Acting, Looking
from .ending import end_keys, touch_keys
from .errors import conflict, missing
from .fields import checked_name, checked_title
from .organizations import find_organization
from .paging import Cut, Page, cut
from .permissions import sees
from .records import Place, Project
from .schema import api_key, project

__all__ = [
    "change_project",
    "close_project",
    "create_project",
    "find_project",
    "list_projects",
    "open_project",
    "place_of_project",
]

_KIND = "project"


def place_of_project(found: Project) -> Place:
    """Where a project is."""
    return Place(organization=found.organization, project=found.name)


def list_projects(look: Looking, page: Cut, *, organization: str | None = None) -> Page[Project]:
    """The projects that the actor may know of, by name, perhaps of one organization only."""
    query = select(project)
    if look.actor.reach == "organization":
        query = query.where(project.c.organization == look.actor.organization)
    if look.actor.reach == "project":
        query = query.where(project.c.name == look.actor.project)
    if organization is not None:
        query = query.where(project.c.organization == organization)
    rows, following = cut(look, query, project.c.name, page)
    return Page(items=tuple(Project(**row._mapping) for row in rows), next=following)  # noqa: SLF001


def find_project(look: Looking, name: str) -> Project:
    """The project called ``name``.

    Raises:
        ActRefused: ``missing``.
    """
    row = look.connection.execute(select(project).where(project.c.name == name)).one_or_none()
    found = None if row is None else Project(**row._mapping)  # noqa: SLF001
    if found is None or not sees(look.actor, place_of_project(found)):
        raise missing(_KIND, name)
    return found


def open_project(look: Looking, name: str) -> Project:
    """The project called ``name``, which is not closed.

    Raises:
        ActRefused: ``missing`` or ``conflict``.
    """
    found = find_project(look, name)
    if found.closed is not None:
        raise conflict(f"the project {name!r} is closed")
    return found


def create_project(act: Acting, *, name: str, organization: str, plan: str | None = None, title: str = "") -> Project:
    """A new project. Names are never used twice, over all organizations: usage is counted under them.

    To choose another plan than the default one takes an owner of the gateway.

    Raises:
        ActRefused: ``missing``, ``invalid``, ``denied`` or ``conflict``.
    """
    owner = find_organization(act, organization)
    act.demand("projects", Place(organization=organization), kind="organization", name=organization)
    if owner.closed is not None:
        raise conflict(f"the organization {organization!r} is closed")
    plan = plan or act.default_plan
    if plan != act.default_plan:
        act.demand("plans", Place(organization=organization), kind="organization", name=organization)
    made = Project(
        name=checked_name("name", name),
        organization=organization,
        plan=_known_plan(act, plan),
        title=checked_title("title", title),
        created=act.now,
    )
    if act.connection.execute(select(project.c.name).where(project.c.name == name)).one_or_none():
        raise conflict(f"a project {name!r} exists or existed", param="name")
    act.connection.execute(project.insert().values(attrs.asdict(made)))
    act.record("project.create", name, place_of_project(made), after={"title": title, "plan": plan})
    return made


def change_project(act: Acting, name: str, *, title: str | None = None, plan: str | None = None) -> Project:
    """Give a project another title, or another plan, which takes an owner of the gateway.

    Raises:
        ActRefused: ``missing``, ``invalid``, ``denied`` or ``conflict``.
    """
    found = find_project(act, name)
    place = place_of_project(found)
    act.demand("projects", place, kind=_KIND, name=name)
    if plan is not None:
        act.demand("plans", place, kind=_KIND, name=name)
    open_project(act, name)
    changed = attrs.evolve(
        found,
        title=found.title if title is None else checked_title("title", title),
        plan=found.plan if plan is None else _known_plan(act, plan),
    )
    facts = {"title": changed.title, "plan": changed.plan}
    act.connection.execute(update(project).where(project.c.name == name).values(facts))
    touch_keys(act, api_key.c.project == name)
    before = {"title": found.title, "plan": found.plan}
    act.record("project.change", name, place, before=before, after=facts)
    return changed


def close_project(act: Acting, name: str) -> Project:
    """Close a project for good and revoke its keys. What it used stays.

    Raises:
        ActRefused: ``missing``, ``denied`` or ``conflict``.
    """
    found = find_project(act, name)
    place = place_of_project(found)
    act.demand("projects", place, kind=_KIND, name=name)
    open_project(act, name)
    ended = end_keys(act, api_key.c.project == name)
    act.connection.execute(update(project).where(project.c.name == name).values(closed=act.now))
    act.record("project.close", name, place, after={"keys_revoked": ended})
    return attrs.evolve(found, closed=act.now)


def _known_plan(act: Acting, name: str) -> str:
    if name not in act.plans:
        raise missing("plan", name)
    return name
