"""How the providers are."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import anyio
import attrs

from mlo.responses import Health

from . import exits
from .displays import print_json
from .routers import Setup, open_router
from .tables import print_table
from .texts import text

__all__ = ["check_health"]

_COLUMNS = ("provider", "state", "latency", "detail")


def check_health(setup: Setup, *, as_json: bool) -> int:
    """Ask every provider instance how it is; exit code 1 unless all are well.

    Raises:
        MloError: when the configuration is wrong.
    """
    found = anyio.run(partial(_fetch, setup))
    if as_json:
        print_json({name: attrs.asdict(health) for name, health in found.items()})
    else:
        rows = [_row(name, health) for name, health in found.items()]
        print_table([text(f"health.{column}") for column in _COLUMNS], rows)
    return exits.OK if all(health.healthy for health in found.values()) else exits.FAILED


async def _fetch(setup: Setup) -> Mapping[str, Health]:
    async with open_router(setup) as router:
        return await router.health()


def _row(name: str, health: Health) -> list[str]:
    state = text("health.well" if health.healthy else "health.sick")
    latency = "" if health.latency is None else text("health.milliseconds", number=f"{health.latency * 1000:.0f}")
    return [name, state, latency, " ".join(health.detail.split())]
