"""Keys read from the database in the form in which they are held ready."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from attrs import frozen
from sqlalchemy import Connection, Row, Select, func, or_, select

from mlo_gateway.contracts import Principal
from mlo_ledger.limits import Limit

from .granting import allowances_for, limits_for
from .key_rows import KEYS, key_in
from .permissions import narrower
from .plans import Catalogue, Plan, terms_in
from .records import Actor, Reach
from .schema import api_key, gateway_state, member, plan, project

__all__ = ["Entry", "Gone", "Loaded", "read_active", "read_changed", "read_digests"]

_MOST_AT_ONCE = 500


@frozen(kw_only=True)
class Entry:
    """A key that opens: whom it stands for, until when (Unix time), and its monthly limits."""

    digest: bytes
    principal: Principal
    reach: Reach
    ends: float | None
    limits: tuple[Limit, ...]

    def actor(self, address: str = "") -> Actor:
        """Who acts when the key is used for the admin API."""
        principal = self.principal
        return Actor(
            name=f"key:{principal.key_id}",
            role=principal.role,
            reach=self.reach,
            organization=principal.organization,
            project=principal.project,
            models=principal.models,
            address=address,
        )


@frozen(kw_only=True)
class Gone:
    """A key that no longer opens, and why."""

    digest: bytes
    ident: str
    why: str


@frozen(kw_only=True)
class Loaded:
    """What was read as of the act numbered ``change``; ``complete`` if that is all keys that open."""

    change: int
    entries: Sequence[Entry] = ()
    gone: Sequence[Gone] = ()
    complete: bool = True


_WITH_DIGEST = KEYS.add_columns(
    api_key.c.digest, member.c.role.label("member_role"), project.c.plan.label("project_plan")
).join_from(api_key, member, member.c.id == api_key.c.member, isouter=True)


def read_active(connection: Connection, catalogue: Catalogue, now: int, most: int) -> Loaded:
    """The keys that open now, up to ``most`` of them: those used last."""
    lasting = or_(api_key.c.expires.is_(None), api_key.c.expires > now)
    used = func.coalesce(api_key.c.last_used, api_key.c.created)
    query = _WITH_DIGEST.where(api_key.c.revoked.is_(None), lasting).order_by(used.desc()).limit(most + 1)
    loaded = _read(connection, catalogue, now, [query])
    if len(loaded.entries) <= most:
        return loaded
    return Loaded(change=loaded.change, entries=loaded.entries[:most], complete=False)


def read_changed(connection: Connection, catalogue: Catalogue, now: int, since: int) -> Loaded | None:
    """The keys that acts after the one numbered ``since`` have changed; ``None`` where there was no act."""
    change = connection.execute(select(gateway_state.c.change)).scalar_one()
    if change == since:
        return None
    return _read(connection, catalogue, now, [_WITH_DIGEST.where(api_key.c.generation > since)])


def read_digests(connection: Connection, catalogue: Catalogue, now: int, digests: Collection[bytes]) -> Loaded:
    """The keys that have these digests."""
    wanted = list(digests)
    parts = [wanted[start : start + _MOST_AT_ONCE] for start in range(0, len(wanted), _MOST_AT_ONCE)]
    return _read(connection, catalogue, now, [_WITH_DIGEST.where(api_key.c.digest.in_(part)) for part in parts])


def _read(
    connection: Connection, catalogue: Catalogue, now: int, queries: Iterable[Select[tuple[object, ...]]]
) -> Loaded:
    # read first: an act between the two is then read once more next time, and never missed
    change = connection.execute(select(gateway_state.c.change)).scalar_one()
    stored = {row.name: terms_in(row.terms) for row in connection.execute(select(plan.c.name, plan.c.terms))}
    plans = catalogue.with_stored(stored)
    entries: list[Entry] = []
    gone: list[Gone] = []
    for query in queries:
        for row in connection.execute(query):
            found = plans.get(row.project_plan)
            why = _why_gone(row, now, found)
            if found is not None and why is None:
                entries.append(_entry(row, found))
            else:
                gone.append(Gone(digest=row.digest, ident=row.id, why=why or ""))
    return Loaded(change=change, entries=entries, gone=gone)


def _why_gone(row: Row[tuple[object, ...]], now: int, found: Plan | None) -> str | None:
    if row.revoked is not None:
        return f"The API key {row.prefix}… was revoked."
    if row.expires is not None and row.expires <= now:
        return f"The API key {row.prefix}… has expired."
    if found is None:  # to serve without limits whom some were agreed with would be the worse mistake
        return f"The plan {row.project_plan!r} of the API key {row.prefix}… is defined no more; ask the operator."
    return None


def _entry(row: Row[tuple[object, ...]], found: Plan) -> Entry:
    key, terms = key_in(row), found.terms
    ends = None if key.expires is None else key.expires / 1_000_000
    principal = Principal(
        key_id=key.id,
        prefix=key.prefix,
        organization=key.organization,
        project=key.project,
        role=key.role if row.member_role is None else narrower(key.role, row.member_role),
        scopes=frozenset(key.scopes),
        models=key.models,
        plan=found.name,
        limits=allowances_for(key, terms),
        expires_at=ends,
        generation=key.generation,
    )
    return Entry(digest=row.digest, principal=principal, reach=key.reach, ends=ends, limits=limits_for(key, terms))
