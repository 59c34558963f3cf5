"""Plans."""

from __future__ import annotations

from fastapi import APIRouter

from mlo_gateway.accounts.errors import missing
from mlo_gateway.accounts.planning import drop_plan, find_plan, set_plan
from mlo_gateway.control.frame import Framed
from mlo_gateway.control.shown import plan_out, terms_of
from mlo_gateway.control.wire import Name, PageOut, PlanIn, PlanOut

__all__ = ["router"]

router = APIRouter(prefix="/plans", tags=["plans"])


@router.get("")
async def plans(frame: Framed) -> PageOut[PlanOut]:
    """All plans."""
    found = await frame.look(lambda look: tuple(look.plans.values()))
    return PageOut(items=[plan_out(plan) for plan in found], next=None)


@router.get("/{name}")
async def plan(frame: Framed, name: Name) -> PlanOut:
    """One plan."""
    return plan_out(await frame.look(lambda look: find_plan(look, name)))


@router.put("/{name}")
async def put(frame: Framed, name: Name, body: PlanIn) -> PlanOut:
    """A new plan, or other terms of one that the configuration does not set. Takes an owner of the gateway."""
    try:
        terms = terms_of(body)
    except ValueError as error:
        raise missing("time zone", body.time_zone) from error
    return plan_out(await frame.act(lambda act: set_plan(act, name, terms)))


@router.delete("/{name}")
async def drop(frame: Framed, name: Name) -> PageOut[PlanOut]:
    """Forget the terms in the database, and see which plans are left. Takes an owner of the gateway."""
    await frame.act(lambda act: drop_plan(act, name))
    return await plans(frame)
