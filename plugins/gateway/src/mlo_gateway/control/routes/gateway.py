"""The gateway itself: who asks, providers, configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import anyio
from fastapi import APIRouter

from mlo.responses import Health
from mlo_gateway.accounts.errors import conflict, denied
from mlo_gateway.accounts.permissions import demand
from mlo_gateway.accounts.records import SCOPES, Place
from mlo_gateway.control.frame import Frame, Framed
from mlo_gateway.control.shown import moment
from mlo_gateway.control.wire import PageOut, ProviderOut, ReloadOut, WhoOut

__all__ = ["router"]

router = APIRouter(tags=["gateway"])

_PATIENCE = 10.0
_WORDS: Mapping[bool | None, Literal["healthy", "unhealthy", "unknown"]] = {
    True: "healthy",
    False: "unhealthy",
    None: "unknown",
}
_NO_ANSWER = Health(healthy=None, detail="no answer in time")


@router.get("/whoami")
async def whoami(frame: Framed) -> WhoOut:
    """Whom the key of this request stands for."""
    principal = frame.entry.principal
    ends = principal.expires_at
    return WhoOut(
        key=principal.key_id,
        role=principal.role,
        reach=frame.entry.reach,
        organization=principal.organization,
        project=principal.project,
        scopes=[scope for scope in SCOPES if scope in principal.scopes],
        expires_at=None if ends is None else moment(round(ends * 1_000_000)),
    )


@router.get("/providers")
async def providers(frame: Framed, health: Literal["ask"] | None = None) -> PageOut[ProviderOut]:
    """The provider instances, with `health=ask` after asking each how it is. Takes a role over the gateway."""
    if frame.actor.reach != "gateway":
        raise denied("providers are the gateway's: it takes a role over the gateway")
    settings = frame.control.router.providers
    found = await _healths(frame) if health == "ask" else {}
    return PageOut(
        items=[_provider(name, settings[name], found.get(name)) for name in sorted(settings)],
        next=None,
    )


@router.post("/reload")
async def reload(frame: Framed) -> ReloadOut:
    """Read the configuration again; a wrong one changes nothing. Takes an owner of the gateway."""
    demand(frame.actor, "plans", Place(), kind="gateway", name="")
    if frame.control.reload is None:
        raise conflict("this gateway was not started from a configuration that could be read again")
    report = await frame.control.reload()
    facts = {"error": report.error, "ignored": list(report.ignored)}
    await frame.act(lambda act: act.record("gateway.reload", "gateway", Place(), after=facts))
    return ReloadOut(error=report.error, ignored=list(report.ignored))


async def _healths(frame: Frame) -> Mapping[str, Health]:
    with anyio.move_on_after(_PATIENCE):
        return await frame.control.router.health()
    return dict.fromkeys(frame.control.router.providers, _NO_ANSWER)


def _provider(name: str, settings: object, health: Health | None) -> ProviderOut:
    return ProviderOut(
        name=name,
        plugin=str(getattr(settings, "use", "")),
        health=None if health is None else _WORDS[health.healthy],
        detail="" if health is None else health.detail,
    )
