"""The frame of every look and every act: one transaction, one actor, one moment; for an act one audit event as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from .auditing import append
from .permissions import Act, demand
from .plans import Catalogue, Plan, terms_in
from .records import Actor, AuditEvent, Place
from .schema import gateway_state, plan

__all__ = ["Acting", "Looking", "begin"]


class Looking:
    """Reading for somebody: the ``connection``, the ``actor``, the time ``now`` in microseconds, the ``plans``."""

    def __init__(self, connection: Connection, actor: Actor, now: int, plans: Catalogue) -> None:
        self.connection, self.actor, self.now = connection, actor, now
        stored = {row.name: terms_in(row.terms) for row in connection.execute(select(plan.c.name, plan.c.terms))}
        self.plans: Mapping[str, Plan] = plans.with_stored(stored).plans()
        self.default_plan = plans.default

    def demand(self, act: Act, place: Place, *, kind: str, name: str) -> None:
        """Let the act on the thing ``name`` pass.

        Raises:
            ActRefused: ``missing`` or ``denied``.
        """
        demand(self.actor, act, place, kind=kind, name=name)


class Acting(Looking):
    """Changing something for somebody. ``change`` is the number of this act; things that change take it over."""

    def __init__(self, connection: Connection, actor: Actor, now: int, plans: Catalogue, change: int) -> None:
        super().__init__(connection, actor, now, plans)
        self.change = change
        self.recorded: list[AuditEvent] = []

    def record(
        self,
        action: str,
        target: str,
        place: Place,
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the audit event; of two states only what differs is kept."""
        old, new = dict(before or {}), dict(after or {})
        if before is not None and after is not None:
            same = {name for name in old.keys() & new.keys() if old[name] == new[name]}
            old, new = ({name: each[name] for name in each if name not in same} for each in (old, new))
        event = AuditEvent(
            seq=0,
            at=self.now,
            actor=self.actor.name,
            address=self.actor.address,
            action=action,
            organization=place.organization,
            project=place.project,
            target=target,
            before=old,
            after=new,
        )
        self.recorded.append(append(self.connection, event))


def begin(connection: Connection, actor: Actor, now: int, plans: Catalogue) -> Acting:
    """Start an act: it waits here for acts under way, on this replica or another, and no other starts until it ends."""
    connection.execute(update(gateway_state).values(change=gateway_state.c.change + 1))
    change = connection.execute(select(gateway_state.c.change)).scalar_one()
    return Acting(connection, actor, now, plans, change)
