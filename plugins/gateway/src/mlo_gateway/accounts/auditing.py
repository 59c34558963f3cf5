"""The audit log: append-only, each event's digest covering the one before, so that changes and gaps show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen
from sqlalchemy import Connection, Row, select, update

from .records import AuditEvent
from .schema import audit_event, gateway_state

__all__ = ["BEGINNING", "AuditCheck", "append", "chained", "event_in", "verify"]

BEGINNING = "0" * 64
"""What the first event's digest covers."""

_BATCH = 1000


@frozen(kw_only=True)
class AuditCheck:
    """What became of a check: how many events there are, and the first of them that is not as it was written."""

    events: int
    broken_at: int | None = None
    reason: str = ""


def chained(event: AuditEvent, previous: str) -> AuditEvent:
    """The event with its digest, which covers all its facts and the digest of the one before."""
    facts = attrs.asdict(event)
    del facts["digest"]
    text = json.dumps([previous, facts], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return attrs.evolve(event, digest=hashlib.sha256(text.encode()).hexdigest())


def append(connection: Connection, event: AuditEvent) -> AuditEvent:
    """Write the event as the next one. The caller's transaction holds the row of ``gateway_state`` already."""
    state = connection.execute(select(gateway_state.c.audit_seq, gateway_state.c.audit_head)).one()
    written = chained(attrs.evolve(event, seq=state.audit_seq + 1), state.audit_head)
    facts = attrs.asdict(written) | {"before": _json(written.before), "after": _json(written.after)}
    connection.execute(audit_event.insert().values(facts))
    connection.execute(update(gateway_state).values(audit_seq=written.seq, audit_head=written.digest))
    return written


def event_in(row: Row[Any]) -> AuditEvent:
    """The event that a row holds."""
    facts = dict(row._mapping)  # noqa: SLF001 - the documented name
    return AuditEvent(**facts | {"before": json.loads(facts["before"]), "after": json.loads(facts["after"])})


def verify(connection: Connection) -> AuditCheck:
    """Go through all events: none was changed, removed or put in."""
    state = connection.execute(select(gateway_state.c.audit_seq, gateway_state.c.audit_head)).one()
    previous, seq = BEGINNING, 0
    while True:
        rows = connection.execute(
            select(audit_event).where(audit_event.c.seq > seq).order_by(audit_event.c.seq).limit(_BATCH)
        ).all()
        for row in rows:
            event, seq = event_in(row), seq + 1
            if event.seq != seq:
                return AuditCheck(events=seq - 1, broken_at=seq, reason="missing")
            if chained(event, previous).digest != event.digest:
                return AuditCheck(events=seq - 1, broken_at=seq, reason="changed")
            previous = event.digest
        if not rows:
            break
    if (seq, previous) != (state.audit_seq, state.audit_head):
        return AuditCheck(events=seq, broken_at=seq + 1, reason="missing")
    return AuditCheck(events=seq)


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, sort_keys=True)
