"""Usage and costs, from the ledger's hourly sums."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from mlo_gateway.accounts.usage import UsageWish, usage_of
from mlo_gateway.control.frame import Framed
from mlo_gateway.control.shown import micros, usage_out
from mlo_gateway.control.wire import KeyId, Moment, Name, UsageOut

__all__ = ["router"]

router = APIRouter(prefix="/usage", tags=["usage"])

By: TypeAlias = Literal[
    "hour", "day", "month", "organization", "project", "key", "provider", "model", "route", "status"
]


@router.get("")
async def usage(
    frame: Framed,
    by: Annotated[list[By], Query(max_length=4, description="What to break the sums down by.")] = [],  # noqa: B006
    begin: Annotated[Moment | None, Query(description="By default the first of the month, in Moscow time.")] = None,
    end: Annotated[Moment | None, Query(description="By default now.")] = None,
    organization: Name | None = None,
    project: Name | None = None,
    key: KeyId | None = None,
) -> UsageOut:
    """What was used in what the key reaches."""
    wish = UsageWish(
        by=tuple(dict.fromkeys(by)),
        begin=micros(begin),
        end=micros(end),
        organization=organization,
        project=project,
        key=key,
        zone=ZoneInfo("Europe/Moscow"),
    )
    return usage_out(await frame.look(lambda look: usage_of(look, wish)))
