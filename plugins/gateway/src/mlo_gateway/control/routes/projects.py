"""Projects."""

from __future__ import annotations

from fastapi import APIRouter

from mlo_gateway.accounts.projects import change_project, close_project, create_project, find_project, list_projects
from mlo_gateway.control.frame import Framed, Paged
from mlo_gateway.control.shown import page_out, project_out
from mlo_gateway.control.wire import Name, PageOut, ProjectChangeIn, ProjectIn, ProjectOut

__all__ = ["router"]

router = APIRouter(prefix="/projects", tags=["projects"])


@router.get("")
async def projects(frame: Framed, page: Paged, organization: Name | None = None) -> PageOut[ProjectOut]:
    """The projects that the key may know of."""
    found = await frame.look(lambda look: list_projects(look, page, organization=organization))
    return page_out(found, project_out)


@router.post("", status_code=201)
async def create(frame: Framed, body: ProjectIn) -> ProjectOut:
    """A new project. Takes an owner of its organization."""
    return project_out(
        await frame.act(
            lambda act: create_project(
                act, name=body.name, organization=body.organization, plan=body.plan, title=body.title
            )
        )
    )


@router.get("/{name}")
async def project(frame: Framed, name: Name) -> ProjectOut:
    """One project."""
    return project_out(await frame.look(lambda look: find_project(look, name)))


@router.patch("/{name}")
async def change(frame: Framed, name: Name, body: ProjectChangeIn) -> ProjectOut:
    """Another title takes an owner of the project, another plan an owner of the gateway."""
    return project_out(await frame.act(lambda act: change_project(act, name, title=body.title, plan=body.plan)))


@router.delete("/{name}")
async def close(frame: Framed, name: Name) -> ProjectOut:
    """Close it for good and revoke its keys. Takes an owner of it."""
    return project_out(await frame.act(lambda act: close_project(act, name)))
