"""Looks at the audit log."""

from __future__ import annotations

from sqlalchemy import select

from .acting import Looking
from .auditing import AuditCheck, event_in, verify
from .errors import denied
from .paging import MOST, Cut, Page
from .records import AuditEvent
from .schema import audit_event

__all__ = ["check_audit", "list_events"]


def list_events(
    look: Looking,
    page: Cut,
    *,
    organization: str | None = None,
    project: str | None = None,
    action: str | None = None,
) -> Page[AuditEvent]:
    """What was done in what the actor covers, the latest first."""
    query = select(audit_event)
    if look.actor.reach == "organization":
        query = query.where(audit_event.c.organization == look.actor.organization)
    if look.actor.reach == "project":
        query = query.where(audit_event.c.project == look.actor.project)
    wanted = {"organization": organization, "project": project, "action": action}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(audit_event.c[name] == value)
    if page.after is not None:
        query = query.where(audit_event.c.seq < int(page.after))
    most = min(page.limit, MOST)
    rows = look.connection.execute(query.order_by(audit_event.c.seq.desc()).limit(most + 1)).all()
    events = tuple(event_in(row) for row in rows[:most])
    return Page(items=events, next=str(events[-1].seq) if len(rows) > most else None)


def check_audit(look: Looking) -> AuditCheck:
    """Whether the whole log is as it was written.

    Raises:
        ActRefused: ``denied`` to whoever does not see all of it.
    """
    if look.actor.reach != "gateway":
        raise denied("the audit log is checked as a whole: it takes a role over the gateway")
    return verify(look.connection)
