"""Who may do what. Pure: facts in, a decision out.

======================  ==========  ====================================
act                     least role  reaching at least over
======================  ==========  ====================================
read                    viewer      the place
keys                    developer   the key's project
members, projects       owner       the organization (or the one project)
organizations, plans    owner       the gateway
======================  ==========  ====================================

Nobody can give away what they do not have: a key that somebody creates has at most their role, reach and models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from mlo_gateway.contracts import Role

from .errors import denied, missing
from .records import ROLES, Actor, Place, Reach

__all__ = ["Act", "covers", "demand", "is_at_most", "may", "narrower", "place_of", "reaches_as_far", "sees"]

Act: TypeAlias = Literal["read", "keys", "members", "projects", "organizations", "plans"]

_LEAST: Mapping[Act, Role] = {
    "read": "viewer",
    "keys": "developer",
    "members": "owner",
    "projects": "owner",
    "organizations": "owner",
    "plans": "owner",
}
_REACHES: tuple[Reach, ...] = ("project", "organization", "gateway")


def is_at_most(role: Role, other: Role) -> bool:
    """Whether ``role`` may do no more than ``other``."""
    return ROLES.index(role) <= ROLES.index(other)


def narrower(one: Role, other: Role) -> Role:
    """The less powerful of two roles."""
    return one if is_at_most(one, other) else other


def place_of(reach: Reach, organization: str, project: str) -> Place:
    """What a reach extends over, for somebody at home in this project."""
    if reach == "gateway":
        return Place()
    return Place(organization=organization, project=project if reach == "project" else None)


def covers(actor: Actor, place: Place) -> bool:
    """Whether the actor's role holds at a place."""
    match actor.reach:
        case "gateway":
            return True
        case "organization":
            return place.organization == actor.organization
        case "project":
            return place.project == actor.project


def sees(actor: Actor, place: Place) -> bool:
    """Whether the actor may know of a place: those that it covers, and its own organization."""
    return covers(actor, place) or (place.project is None and place.organization == actor.organization)


def may(actor: Actor, act: Act, place: Place) -> bool:
    """Whether the actor may do this at a place."""
    if act in {"organizations", "plans"} and actor.reach != "gateway":
        return False
    return covers(actor, place) and is_at_most(_LEAST[act], actor.role)


def demand(actor: Actor, act: Act, place: Place, *, kind: str, name: str) -> None:
    """Let the act on the thing ``name`` pass.

    Raises:
        ActRefused: ``missing`` when the actor may not know of the thing, ``denied`` when it may not do that to it.
    """
    if not sees(actor, place):
        raise missing(kind, name)
    if not may(actor, act, place):
        raise denied(f"the role {actor.role} over {_extent(actor)} does not allow this: it takes {_demanded(act)}")


def _demanded(act: Act) -> str:
    over = " over the gateway" if act in {"organizations", "plans"} else ""
    return f"the role {_LEAST[act]}{over}"


def _extent(actor: Actor) -> str:
    match actor.reach:
        case "gateway":
            return "the gateway"
        case "organization":
            return f"the organization {actor.organization!r}"
        case "project":
            return f"the project {actor.project!r}"


def reaches_as_far(reach: Reach, other: Reach) -> bool:
    """Whether ``reach`` extends at least as far as ``other``."""
    return _REACHES.index(reach) >= _REACHES.index(other)
