"""Organizations."""

from __future__ import annotations

from fastapi import APIRouter

from mlo_gateway.accounts.organizations import (
    change_organization,
    close_organization,
    create_organization,
    find_organization,
    list_organizations,
)
from mlo_gateway.control.frame import Framed, Paged
from mlo_gateway.control.shown import organization_out, page_out
from mlo_gateway.control.wire import Name, OrganizationIn, OrganizationOut, PageOut, TitleIn

__all__ = ["router"]

router = APIRouter(prefix="/organizations", tags=["organizations"])


@router.get("")
async def organizations(frame: Framed, page: Paged) -> PageOut[OrganizationOut]:
    """The organizations that the key may know of."""
    return page_out(await frame.look(lambda look: list_organizations(look, page)), organization_out)


@router.post("", status_code=201)
async def create(frame: Framed, body: OrganizationIn) -> OrganizationOut:
    """A new organization. Takes an owner of the gateway."""
    return organization_out(await frame.act(lambda act: create_organization(act, name=body.name, title=body.title)))


@router.get("/{name}")
async def organization(frame: Framed, name: Name) -> OrganizationOut:
    """One organization."""
    return organization_out(await frame.look(lambda look: find_organization(look, name)))


@router.patch("/{name}")
async def change(frame: Framed, name: Name, body: TitleIn) -> OrganizationOut:
    """Another title. Takes an owner of the gateway."""
    return organization_out(await frame.act(lambda act: change_organization(act, name, title=body.title)))


@router.delete("/{name}")
async def close(frame: Framed, name: Name) -> OrganizationOut:
    """Close it and its projects for good and revoke their keys. Takes an owner of the gateway."""
    return organization_out(await frame.act(lambda act: close_organization(act, name)))
