"""Admission under overload: so many requests at once, so many in a queue, and a quick 503 for the rest.

It stands before authentication and JSON, so that a request too many costs next to nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import anyio
import orjson
from attrs import define

from .config import AdmissionConfig

__all__ = ["Admission"]

_Scope: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_BODY = orjson.dumps(
    {
        "error": {
            "message": "The gateway is overloaded. Please try again.",
            "type": "server_error",
            "param": None,
            "code": "overloaded",
        }
    }
)


@define(eq=False)
class _Place:
    ready: anyio.Event
    given: bool = False


class Admission:
    """An ASGI application around another, which gets no more requests of the data plane than it can serve."""

    def __init__(self, app: _App, config: AdmissionConfig) -> None:
        self._app = app
        self._queue: deque[_Place] = deque()
        self._in_flight = 0
        self._refused = 0
        self.use(config)

    def use(self, config: AdmissionConfig) -> None:
        """Go by another configuration from here on."""
        self._config = config
        length, after = str(len(_BODY)).encode(), str(math.ceil(config.retry_after)).encode()
        self._head: MutableMapping[str, Any] = {
            "type": "http.response.start",
            "status": 503,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", length),
                (b"retry-after", after),
                # the body of a refused request is not read: the connection ends here
                (b"connection", b"close"),
            ],
        }

    @property
    def in_flight(self) -> int:
        """Requests being served."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    @property
    def refused(self) -> int:
        """How many were sent away so far."""
        return self._refused

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve a request, let it wait, or send it away."""
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        if self._in_flight < self._config.in_flight:
            self._in_flight += 1
        elif not (len(self._queue) < self._config.queue and await self._place()):
            self._refused += 1
            await send(self._head)
            await send({"type": "http.response.body", "body": _BODY})
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._leave()

    async def _place(self) -> bool:
        """Wait for a place; whether there is one, which is then taken."""
        place = _Place(anyio.Event())
        self._queue.append(place)
        try:
            with anyio.move_on_after(self._config.queue_timeout):
                await place.ready.wait()
        except BaseException:
            if place.given:
                self._leave()
            raise
        finally:
            if not place.given:
                self._queue.remove(place)
        return place.given

    def _leave(self) -> None:
        """Hand the place to the first in the queue, or give it back."""
        if self._queue and self._in_flight <= self._config.in_flight:
            place = self._queue.popleft()
            place.given = True
            place.ready.set()
            return
        self._in_flight -= 1
