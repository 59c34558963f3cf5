"""A limiter with a clock that the test sets: in process or over Redis, behind one face without `await`."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from itertools import count
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from mlo.secret import Secret
from mlo_gateway.contracts import Principal, Ticket
from mlo_gateway.limits import Allowance
from mlo_gateway.limits.config import LimitsConfig
from mlo_gateway.limits.memory import LocalLimiter
from mlo_gateway.limits.shared import SharedLimiter, open_shared

START = 1_760_000_000_000_000
_NUMBERS = count()


def principal(*allowances: Allowance, key: str = "") -> Principal:
    """Somebody whom no other test knows."""
    return Principal(key_id=key or f"k{next(_NUMBERS)}", limits=allowances)


def fresh(kind: str = "key") -> str:
    """A scope that no other test knows."""
    return f"{kind}:{next(_NUMBERS)}"


class World:
    """The time, in microseconds, and a limiter that goes by it."""

    now: int = START

    def __init__(
        self, limiter: LocalLimiter | SharedLimiter | None = None, portal: BlockingPortal | None = None
    ) -> None:
        self._limiter = limiter or LocalLimiter(LimitsConfig(), lambda: self.now)
        self._portal = portal

    def enter(self, caller: Principal, tokens: int = 0) -> Ticket:
        ticket: Ticket = self._call(self._limiter.enter, caller, tokens)
        return ticket

    def leave(self, ticket: Ticket, tokens: int | None = None) -> None:
        self._call(ticket.leave, tokens)

    def _call(self, function: Any, *arguments: Any) -> Any:
        async def call() -> Any:
            result = function(*arguments)
            return await result if inspect.isawaitable(result) else result

        return function(*arguments) if self._portal is None else self._portal.call(call)


@contextlib.contextmanager
def shared_world(url: str, **options: Any) -> Iterator[World]:
    """A world whose limiter counts in Redis."""
    config = LimitsConfig(redis=Secret(url), **options)
    with start_blocking_portal("asyncio") as portal:
        world = World.__new__(World)
        with portal.wrap_async_context_manager(open_shared(config, clock=lambda: world.now)) as limiter:
            world.__init__(limiter, portal)  # type: ignore[misc]  # the clock needs it before
            yield world
