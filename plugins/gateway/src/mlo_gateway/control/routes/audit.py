"""The audit log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from mlo_gateway.accounts.audit_log import check_audit, list_events
from mlo_gateway.accounts.paging import MOST, Cut
from mlo_gateway.control.frame import Framed
from mlo_gateway.control.shown import event_out, page_out
from mlo_gateway.control.wire import AuditEventOut, AuditOut, Name, PageOut

__all__ = ["router"]

router = APIRouter(prefix="/audit", tags=["audit"])


@router.get("")
async def events(
    frame: Framed,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    after: Annotated[int | None, Query(ge=1, le=2**62, description="The `next` of the page before.")] = None,
    organization: Name | None = None,
    project: Name | None = None,
    action: Annotated[str | None, Query(pattern=r"^[a-z]{1,32}\.[a-z]{1,31}$")] = None,
) -> PageOut[AuditEventOut]:
    """What was done in what the key reaches, the latest first."""
    page = Cut(limit=limit, after=None if after is None else str(after))
    found = await frame.look(
        lambda look: list_events(look, page, organization=organization, project=project, action=action)
    )
    return page_out(found, event_out)


@router.get("/check")
async def check(frame: Framed) -> AuditOut:
    """Whether the log is as it was written. Takes a role over the gateway; reads all of it."""
    found = await frame.look(check_audit)
    return AuditOut(intact=found.broken_at is None, events=found.events, broken_at=found.broken_at, reason=found.reason)
