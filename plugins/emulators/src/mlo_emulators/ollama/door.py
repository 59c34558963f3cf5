"""What happens before any route: the check of the Host header, and of the key."""

from __future__ import annotations

import socket

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .replies import refusal
from .wire import Refused
from .world import World

__all__ = ["Door"]


class Door:
    """Refuses foreign hosts and callers without the key, before anything else looks at a request."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app, self._world = app, world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] == "http" and (stop := self._refused(scope)) is not None:
            await stop(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        headers = dict(scope["headers"])
        options = self._world.options
        host = headers.get(b"host", b"").decode("latin-1")
        if options.check_host and not _is_local(host) and host not in options.hosts:
            return Response(status_code=403)
        wanted = options.api_key
        if wanted is not None and headers.get(b"authorization", b"").decode("latin-1") != f"Bearer {wanted}":
            return refusal(Refused(401, "unauthorized", signin_url="https://ollama.com/connect"))
        return None


def _is_local(host: str) -> bool:
    name = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name in {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", socket.gethostname().lower()}:  # noqa: S104 - compared, not bound
        return True
    return name.rpartition(".")[2] in {"localhost", "local", "internal"}
