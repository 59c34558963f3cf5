"""Virtual keys."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter

from mlo_gateway.accounts.acting import Acting
from mlo_gateway.accounts.keys import KeyChange, change_key, create_key, find_key, list_keys, revoke_key, rotate_key
from mlo_gateway.accounts.records import ApiKey
from mlo_gateway.control.frame import Framed, Paged
from mlo_gateway.control.shown import key_facts, key_out, limits_in, micros, page_out
from mlo_gateway.control.wire import KeyChangeIn, KeyId, KeyIn, KeyMadeOut, KeyOut, Name, PageOut, RotatedOut, RotateIn

__all__ = ["router"]

router = APIRouter(prefix="/keys", tags=["keys"])

_SECOND = 1_000_000


@router.get("")
async def keys(
    frame: Framed, page: Paged, project: Name | None = None, status: Literal["active"] | None = None
) -> PageOut[KeyOut]:
    """The keys of what the key of this request reaches."""
    found = await frame.look(lambda look: list_keys(look, page, project_name=project, active=status is not None))
    return page_out(found, lambda key: key_out(key, frame.now))


@router.post("", status_code=201)
async def create(frame: Framed, body: KeyIn) -> KeyMadeOut:
    """A new key. Its text is in this answer only. Takes a developer of the project."""
    made, token = await frame.act(
        lambda act: create_key(
            act,
            project_name=body.project,
            name=body.name,
            role=body.role,
            reach=body.reach,
            scopes=body.scopes,
            models=body.models,
            limits=limits_in(body.limits),
            expires=micros(body.expires_at),
            member=body.member,
        )
    )
    return KeyMadeOut(**key_facts(made, frame.now), secret=token.text)


@router.get("/{key_id}")
async def key(frame: Framed, key_id: KeyId) -> KeyOut:
    """One key."""
    return key_out(await frame.look(lambda look: find_key(look, key_id)), frame.now)


@router.patch("/{key_id}")
async def change(frame: Framed, key_id: KeyId, body: KeyChangeIn) -> KeyOut:
    """Another name, other models, limits or expiry. Takes a developer of the project."""
    return key_out(
        await frame.act(lambda act: change_key(act, key_id, _change(find_key(act, key_id), body))), frame.now
    )


@router.post("/{key_id}/rotate", status_code=201)
async def rotate(frame: Framed, key_id: KeyId, body: RotateIn) -> RotatedOut:
    """Replace a key. The new one's text is in this answer only. Takes a developer of the project."""

    def replace(act: Acting) -> RotatedOut:
        made, token, old = rotate_key(act, key_id, overlap=body.overlap * _SECOND, expires=micros(body.expires_at))
        new = KeyMadeOut(**key_facts(made, act.now), secret=token.text)
        return RotatedOut(new=new, old=key_out(old, act.now))

    return await frame.act(replace)


@router.delete("/{key_id}")
async def revoke(frame: Framed, key_id: KeyId) -> KeyOut:
    """End a key: on every replica, and for open streams, within a second. Takes a developer of the project."""
    return key_out(await frame.act(lambda act: revoke_key(act, key_id)), frame.now)


def _change(found: ApiKey, body: KeyChangeIn) -> KeyChange:
    given = body.model_fields_set
    return KeyChange(
        name=body.name if "name" in given else found.name,
        models=found.models if "models" not in given else None if body.models is None else tuple(body.models),
        limits=limits_in(body.limits) if "limits" in given else found.limits,
        expires=micros(body.expires_at) if "expires_at" in given else found.expires,
    )
