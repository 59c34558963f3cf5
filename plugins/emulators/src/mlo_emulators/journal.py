"""What a server has seen: requests, and counters of things that happen outside requests."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Journal", "ReceivedRequest", "Recording"]


@frozen(kw_only=True)
class ReceivedRequest:
    """One request as it came in.

    Header names are in lower case; repeated headers are joined with a comma. ``headers`` and ``body`` may hold
    secrets, so they are not part of the ``repr``.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: when it is not JSON.
        """
        return json.loads(self.body)


class Journal:
    """A record of a server's life; safe to use from any thread.

    Counters that every server keeps: ``connections opened``, ``connections closed``, ``client disconnects`` (the
    client left before the answer was complete). Emulators add their own.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[ReceivedRequest] = []
        self._counts: Counter[str] = Counter()

    def add(self, request: ReceivedRequest) -> None:
        """Note a request."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def count(self, name: str, by: int = 1) -> None:
        """Add ``by`` to the counter called ``name``."""
        with self._changed:
            self._counts[name] += by
            self._changed.notify_all()

    @property
    def requests(self) -> tuple[ReceivedRequest, ...]:
        """All requests so far, oldest first."""
        with self._changed:
            return tuple(self._requests)

    @property
    def counts(self) -> Mapping[str, int]:
        """A copy of all counters."""
        with self._changed:
            return dict(self._counts)

    def __getitem__(self, name: str) -> int:
        """The counter called ``name``; 0 if nothing was counted under it."""
        with self._changed:
            return self._counts[name]

    def matching(self, path: str, method: str | None = None) -> tuple[ReceivedRequest, ...]:
        """The requests whose path ends in ``path``."""
        return tuple(
            request
            for request in self.requests
            if request.path.endswith(path) and (method is None or request.method == method)
        )

    def wait_for(self, name: str, at_least: int = 1, timeout: float = 10.0) -> bool:
        """Block until the counter ``name`` reaches ``at_least``; False if ``timeout`` seconds pass before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._counts[name] >= at_least, timeout)

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._requests.clear()
            self._counts.clear()


class Recording:
    """ASGI middleware that reads the whole body of a request, notes the request, and lets the app read it again."""

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app, self._journal = app, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record one request and pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        self._journal.add(_request(scope, body))
        unread = True

        async def replay() -> Message:
            nonlocal unread
            if unread:
                unread = False
                return {"type": "http.request", "body": body, "more_body": False}
            return await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return b"".join(pieces)


def _request(scope: Scope, body: bytes) -> ReceivedRequest:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return ReceivedRequest(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
    )
