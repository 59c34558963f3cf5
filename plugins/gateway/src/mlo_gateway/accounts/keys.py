"""Acts on virtual keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from attrs import frozen
from sqlalchemy import Connection, Select, or_, select, update

from mlo_gateway.contracts import Role

from .acting import Acting, Looking
from .ending import end_keys
from .errors import conflict, denied, invalid, missing
from .fields import checked_models, checked_scopes, checked_title
from .key_rows import KEYS, key_in, row_of
from .members import find_member
from .paging import Cut, Page, cut
from .permissions import covers, is_at_most, reaches_as_far
from .projects import open_project, place_of_project
from .records import SCOPES, ApiKey, KeyLimits, Member, Place, Reach
from .schema import api_key, project
from .tokens import NewToken, new_id, new_token

__all__ = [
    "KeyChange",
    "change_key",
    "create_key",
    "find_key",
    "list_keys",
    "mark_used",
    "place_of_key",
    "revoke_key",
    "rotate_key",
]

_KIND = "key"


@frozen(kw_only=True)
class KeyChange:
    """What is to be different about a key."""

    name: str
    models: tuple[str, ...] | None
    limits: KeyLimits
    expires: int | None


def list_keys(look: Looking, page: Cut, *, project_name: str | None = None, active: bool = False) -> Page[ApiKey]:
    """The keys of what the actor covers, in the order in which they were made; perhaps only those that still open."""
    query: Select[tuple[object, ...]] = KEYS
    if look.actor.reach == "organization":
        query = query.where(project.c.organization == look.actor.organization)
    if look.actor.reach == "project":
        query = query.where(api_key.c.project == look.actor.project)
    if project_name is not None:
        query = query.where(api_key.c.project == project_name)
    if active:
        lasting = or_(api_key.c.expires.is_(None), api_key.c.expires > look.now)
        query = query.where(api_key.c.revoked.is_(None), lasting)
    rows, following = cut(look, query, api_key.c.id, page)
    return Page(items=tuple(map(key_in, rows)), next=following)


def find_key(look: Looking, ident: str) -> ApiKey:
    """The key with this id, or with this prefix (``mlo-4fT0abcd``) where only one has it.

    Raises:
        ActRefused: ``missing``.
    """
    which = or_(api_key.c.id == ident, api_key.c.prefix == ident)
    rows: Sequence[Any] = look.connection.execute(KEYS.where(which).limit(2)).all()
    found = [key_in(row) for row in rows]
    if len(found) != 1 or not covers(look.actor, place_of_key(found[0])):
        raise missing(_KIND, ident)
    return found[0]


def create_key(
    act: Acting,
    *,
    project_name: str,
    name: str = "",
    role: Role = "developer",
    reach: Reach = "project",
    scopes: Sequence[str] = ("inference",),
    models: Sequence[str] | None = None,
    limits: KeyLimits = KeyLimits(),  # noqa: B008 - frozen
    expires: int | None = None,
    member: str | None = None,
) -> tuple[ApiKey, NewToken]:
    """A new key of a project, and its text, which is not kept.

    Raises:
        ActRefused: ``missing``, ``invalid``, ``denied`` or ``conflict``.
    """
    home = open_project(act, project_name)
    act.demand("keys", place_of_project(home), kind="project", name=project_name)
    made, token = _made(
        act,
        ApiKey(
            id="",
            prefix="",
            name=checked_title("name", name),
            organization=home.organization,
            project=home.name,
            reach=reach,
            role=role,
            member=member,
            scopes=checked_scopes(scopes, SCOPES),
            models=_within_own(act, checked_models(models)),
            limits=limits,
            created=act.now,
            expires=_future(act, expires),
            revoked=None,
            rotated_from=None,
            last_used=None,
            generation=act.change,
        ),
    )
    _demand_power(act, made)
    if member is not None:
        _demand_member(find_member(act, member), made)
    act.connection.execute(api_key.insert().values(row_of(made, token.digest)))
    act.record("key.create", made.id, place_of_key(made), after=_facts(made))
    return made, token


def change_key(act: Acting, ident: str, change: KeyChange) -> ApiKey:
    """Give a key another name, other models, limits or expiry.

    Raises:
        ActRefused: ``missing``, ``invalid``, ``denied`` or ``conflict``.
    """
    found = _living(act, ident)
    changed = attrs.evolve(
        found,
        name=checked_title("name", change.name),
        models=_within_own(act, checked_models(change.models)),
        limits=change.limits,
        expires=found.expires if change.expires == found.expires else _future(act, change.expires),
        generation=act.change,
    )
    act.connection.execute(update(api_key).where(api_key.c.id == found.id).values(row_of(changed)))
    act.record("key.change", found.id, place_of_key(found), before=_facts(found), after=_facts(changed))
    return changed


def rotate_key(
    act: Acting, ident: str, *, overlap: int = 0, expires: int | None = None
) -> tuple[ApiKey, NewToken, ApiKey]:
    """Replace a key: the new one, its text, and the old one, which goes on for ``overlap`` microseconds.

    The new one lasts as long as the old one was made to last, unless ``expires`` is given.

    Raises:
        ActRefused: ``missing``, ``invalid``, ``denied`` or ``conflict``.
    """
    found = _living(act, ident)
    _within_own(act, found.models)
    if overlap < 0:
        raise invalid("overlap", "must not be negative")
    successor = act.connection.execute(select(api_key.c.id).where(api_key.c.rotated_from == found.id)).scalar()
    if successor is not None:
        raise conflict(f"the key {found.prefix} was replaced already, by {successor}")
    lasting = None if found.expires is None else act.now + found.expires - found.created
    expires = lasting if expires is None else _future(act, expires)
    made, token = _made(
        act, attrs.evolve(found, created=act.now, expires=expires, rotated_from=found.id, last_used=None)
    )
    if overlap:
        until = act.now + overlap if found.expires is None else min(found.expires, act.now + overlap)
        old = attrs.evolve(found, expires=until, generation=act.change)
    else:
        old = attrs.evolve(found, revoked=act.now, generation=act.change)
    act.connection.execute(update(api_key).where(api_key.c.id == found.id).values(row_of(old)))
    act.connection.execute(api_key.insert().values(row_of(made, token.digest)))
    act.record("key.rotate", found.id, place_of_key(found), before=_facts(found), after=_facts(old) | {"by": made.id})
    return made, token, old


def revoke_key(act: Acting, ident: str) -> ApiKey:
    """End a key now.

    Raises:
        ActRefused: ``missing``, ``denied`` or ``conflict`` (it has ended already).
    """
    found = _living(act, ident)
    end_keys(act, api_key.c.id == found.id)
    revoked = attrs.evolve(found, revoked=act.now, generation=act.change)
    act.record("key.revoke", found.id, place_of_key(found), before=_facts(found), after=_facts(revoked))
    return revoked


def mark_used(connection: Connection, uses: Mapping[str, int]) -> None:
    """Note when keys (by id) were last used. No act: nothing is audited, nothing is read again."""
    for ident, at in sorted(uses.items()):
        later = or_(api_key.c.last_used.is_(None), api_key.c.last_used < at)
        connection.execute(update(api_key).where(api_key.c.id == ident, later).values(last_used=at))


def place_of_key(key: ApiKey) -> Place:
    """Where a key is at home."""
    return Place(organization=key.organization, project=key.project)


def _made(act: Acting, key: ApiKey) -> tuple[ApiKey, NewToken]:
    token = new_token()
    return attrs.evolve(key, id=new_id("key", act.now), prefix=token.prefix, generation=act.change), token


def _living(act: Acting, ident: str) -> ApiKey:
    found = find_key(act, ident)
    act.demand("keys", place_of_key(found), kind=_KIND, name=ident)
    _demand_power(act, found)
    if found.revoked is not None:
        raise conflict(f"the key {found.prefix} is revoked")
    if found.expires is not None and found.expires <= act.now:
        raise conflict(f"the key {found.prefix} has expired")
    return found


def _demand_power(act: Acting, key: ApiKey) -> None:
    actor = act.actor
    if not is_at_most(key.role, actor.role) or not reaches_as_far(actor.reach, key.reach):
        raise denied(
            f"the role {actor.role} over one {actor.reach} does not allow this for a key with the role {key.role} "
            f"over one {key.reach}"
        )


def _demand_member(found: Member, key: ApiKey) -> None:
    if found.organization != key.organization or found.project not in {None, key.project}:
        raise conflict("the member has no role in this project", param="member")
    if not is_at_most(key.role, found.role):
        raise conflict(f"the role {key.role} is more than the member's, {found.role}", param="role")
    if not reaches_as_far("organization" if found.project is None else "project", key.reach):
        raise conflict(f"the member's role does not reach over the {key.reach}", param="reach")


def _within_own(act: Acting, models: tuple[str, ...] | None) -> tuple[str, ...] | None:
    own = act.actor.models
    if own is not None and (models is None or not set(models) <= set(own)):
        raise denied(f"this key may use {', '.join(own)} only, and so may the keys that it makes")
    return models


def _future(act: Acting, expires: int | None) -> int | None:
    if expires is not None and expires <= act.now:
        raise conflict("the time of expiry lies in the past", param="expires_at")
    return expires


def _facts(key: ApiKey) -> dict[str, object]:
    """What the audit log tells of a key."""
    facts = attrs.asdict(key)
    for name in ("id", "organization", "project", "created", "last_used", "generation", "rotated_from"):
        del facts[name]
    limits = {name: value for name, value in facts.pop("limits").items() if value is not None}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()} | limits
