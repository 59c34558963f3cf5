"""Members: people with a role."""

from __future__ import annotations

from fastapi import APIRouter

from mlo_gateway.accounts.members import add_member, change_member, find_member, list_members, remove_member
from mlo_gateway.control.frame import Framed, Paged
from mlo_gateway.control.shown import member_out, page_out
from mlo_gateway.control.wire import MemberChangeIn, MemberId, MemberIn, MemberOut, Name, PageOut

__all__ = ["router"]

router = APIRouter(prefix="/members", tags=["members"])


@router.get("")
async def members(frame: Framed, page: Paged, organization: Name | None = None) -> PageOut[MemberOut]:
    """Those with a role in what the key reaches."""
    return page_out(await frame.look(lambda look: list_members(look, page, organization=organization)), member_out)


@router.post("", status_code=201)
async def add(frame: Framed, body: MemberIn) -> MemberOut:
    """Give somebody a role. Takes an owner of the place."""
    return member_out(
        await frame.act(
            lambda act: add_member(
                act, organization=body.organization, project=body.project, name=body.name, role=body.role
            )
        )
    )


@router.get("/{member_id}")
async def member(frame: Framed, member_id: MemberId) -> MemberOut:
    """One member."""
    return member_out(await frame.look(lambda look: find_member(look, member_id)))


@router.patch("/{member_id}")
async def change(frame: Framed, member_id: MemberId, body: MemberChangeIn) -> MemberOut:
    """Another role; their keys follow if it is a lower one. Takes an owner of the place."""
    return member_out(await frame.act(lambda act: change_member(act, member_id, role=body.role)))


@router.delete("/{member_id}")
async def remove(frame: Framed, member_id: MemberId) -> MemberOut:
    """Take the role away and revoke the keys that were made for them. Takes an owner of the place."""
    return member_out(await frame.act(lambda act: remove_member(act, member_id)))
