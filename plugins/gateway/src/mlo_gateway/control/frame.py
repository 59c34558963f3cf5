"""What every route of the admin API needs: who asks, and what is there to be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from attrs import frozen
from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mlo_gateway.accounts.acting import Acting, Looking
from mlo_gateway.accounts.loading import Entry
from mlo_gateway.accounts.paging import MOST, Cut
from mlo_gateway.accounts.records import Actor
from mlo_gateway.contracts import GatewayError

from .seams import Control

__all__ = ["Frame", "Framed", "Paged"]

T = TypeVar("T")
_MOST_SHOWN = 60


@frozen(kw_only=True)
class Frame:
    """One request: who asks."""

    control: Control
    entry: Entry
    actor: Actor

    @property
    def now(self) -> int:
        """The time, in microseconds."""
        return self.control.accounts.now()

    async def look(self, function: Callable[[Looking], T]) -> T:
        """What the function finds for whoever asks."""
        return await self.control.accounts.look(self.actor, function)

    async def act(self, function: Callable[[Acting], T]) -> T:
        """What the function changes for whoever asks."""
        return await self.control.accounts.act(self.actor, function)


_bearer = HTTPBearer(auto_error=False, description="A key with the scope `admin`.")


async def _frame(request: Request, _shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Frame:
    control: Control = request.app.state.control
    _demand_known(request)
    header = request.headers.get("authorization")
    entry = await control.ring.administrator(None if header is None else header.encode("latin-1"))
    address = "" if request.client is None else request.client.host
    return Frame(control=control, entry=entry, actor=entry.actor(address[:64]))


def _demand_known(request: Request) -> None:
    """Refuse parameters that the route does not have: whoever mistypes a filter must not get everything."""
    if not request.query_params:
        return
    known: frozenset[str] = request.app.state.parameters(request.method, request.scope["path"])
    for name in request.query_params:
        if name not in known:
            takes = ", ".join(sorted(known)) or "none"
            message = f"There is no such query parameter here; it takes {takes}."
            raise GatewayError(422, "unknown_parameter", "invalid_request_error", message, param=name[:_MOST_SHOWN])


async def _page(
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
    after: Annotated[
        str | None, Query(pattern=r"^[a-z0-9-]{1,64}$", description="The `next` of the page before.")
    ] = None,
) -> Cut:
    return Cut(limit=limit, after=after)


Framed = Annotated[Frame, Depends(_frame)]
Paged = Annotated[Cut, Depends(_page)]
