"""The way into the API: who may come in, who fails on purpose, who waits."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

import anyio
from attrs import define
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mlo_emulators.server import connection

from .accounts import Accounts, Issued
from .failures import ApiFailure, status_failure
from .options import Options
from .state import Emulator
from .stream import EventStream

__all__ = ["Handler", "Visit", "guarded"]


@define
class Visit:
    """One API call that was let in. ``release`` gives its slot back, once."""

    request: Request
    emulator: Emulator
    issued: Issued
    accounts: Accounts  # the emulator may get new ones during the call
    holds_slot: bool = False

    @property
    def options(self) -> Options:
        """The options in force."""
        return self.emulator.options

    @property
    def owner(self) -> str | None:
        """The user id that files belong to."""
        return self.request.headers.get("x-client-id")

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every answer."""
        given = self.request.headers
        return {
            "x-request-id": given.get("x-request-id") or self.emulator.new_id(),
            "x-session-id": given.get("x-session-id") or self.emulator.new_id(),
        }

    def json(self, value: object) -> Response:
        """An answer."""
        return JSONResponse(value, headers=self.headers)

    def release(self) -> None:
        """Give the slot back."""
        if self.holds_slot:
            self.holds_slot = False
            self.accounts.leave(self.issued)


Handler = Callable[[Visit], Awaitable[Response]]
"""Answers a call that was let in."""


def guarded(path: str, handler: Handler, method: str = "GET", *, slot: bool = False) -> Route:
    """A route whose handler is called for those who may come in; ``slot``: it takes one of the client's slots."""

    @functools.wraps(handler)
    async def endpoint(request: Request) -> Response:
        visit = await _admitted(request, slot=slot)
        try:
            response = await handler(visit)
        except BaseException:
            visit.release()
            raise
        if not isinstance(response, EventStream):
            visit.release()
        return response

    return Route(path, endpoint, methods=[method])


async def _admitted(request: Request, *, slot: bool) -> Visit:
    emulator: Emulator = request.app.state.emulator
    options = emulator.options
    emulator.journal.count("api calls")
    if options.require_user_agent and "user-agent" not in request.headers:
        raise ApiFailure(403, "Unauthorized", bare=True)
    accounts = emulator.accounts
    issued = await _identified(request, emulator)
    _fail_on_purpose(request, emulator)
    visit = Visit(request, emulator, issued, accounts)
    if slot:
        _take_slot(visit)
    try:
        if (delay := emulator.delay("latency")) > 0:
            await anyio.sleep(delay)
    except BaseException:
        visit.release()
        raise
    return visit


async def _identified(request: Request, emulator: Emulator) -> Issued:
    try:
        return emulator.accounts.check(request.headers.get("authorization", ""), emulator.options)
    except ApiFailure:
        if (delay := emulator.delay("unauthorized_delay")) > 0:
            await anyio.sleep(delay)
        raise


def _fail_on_purpose(request: Request, emulator: Emulator) -> None:
    options, number_of_call = emulator.options, emulator.next("api calls")
    if number_of_call <= options.drop_first and (line := connection(request.scope)) is not None:
        line.abort()
    every = options.fail_every
    if number_of_call <= options.fail_first or (every and number_of_call % every == 0):
        raise status_failure(options.fail_status, options)


def _take_slot(visit: Visit) -> None:
    try:
        visit.accounts.occupy(visit.issued, visit.options)
    except ApiFailure as failure:
        raise status_failure(failure.status, visit.options) from failure
    visit.holds_slot = True
