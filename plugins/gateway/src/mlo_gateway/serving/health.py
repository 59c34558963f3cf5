"""``/healthz``, ``/readyz`` and ``/metrics``: for load balancers, supervisors and Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

import anyio
import orjson
from attrs import define, field, frozen

from mlo_gateway.app.application import AsgiApp
from mlo_gateway.app.exchange import Receive, Scope, Send

__all__ = ["Check", "Checks", "Exposition", "Health", "Verdict"]


@frozen(kw_only=True)
class Verdict:
    """What a check found: whether traffic may come, and why. Both are shown to whoever can reach the port."""

    ok: bool
    state: str


Check: TypeAlias = Callable[[], Awaitable[Verdict]]


class Exposition(Protocol):
    """Metrics as text: what the observer ``prometheus`` offers."""

    def exposition(self, accept: str | None = None, /) -> tuple[str, bytes]:
        """The content type and the text."""


@define(eq=False)
class Checks:
    """What readiness depends on. A check gets ``patience`` seconds."""

    draining: bool = False
    patience: float = 2.0
    _checks: dict[str, Check] = field(factory=dict)

    def add(self, name: str, check: Check) -> None:
        """Ask this, too."""
        self._checks[name] = check

    async def verdicts(self) -> Mapping[str, Verdict]:
        """What each check says; one that takes too long has failed."""
        found = {"process": Verdict(ok=not self.draining, state="draining" if self.draining else "serving")}
        for name, check in self._checks.items():
            found[name] = Verdict(ok=False, state="no answer")
            with anyio.move_on_after(self.patience):
                found[name] = await check()
        return found


class Health:
    """An ASGI application that answers for health and metrics, and leaves all other paths to ``app``."""

    def __init__(self, app: AsgiApp, checks: Checks, metrics: Callable[[], Exposition | None]) -> None:
        self._app, self._checks, self._metrics = app, checks, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope["path"] if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"} else ""
        if path == "/healthz":
            await _respond(scope, send, 200, b'{"status":"alive"}')
        elif path == "/readyz":
            await self._readiness(scope, send)
        elif path == "/metrics" and (metrics := self._metrics()) is not None:
            accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
            kind, text = await anyio.to_thread.run_sync(metrics.exposition, accept)
            await _respond(scope, send, 200, text, kind)
        else:
            await self._app(scope, receive, send)

    async def _readiness(self, scope: Scope, send: Send) -> None:
        verdicts = await self._checks.verdicts()
        ready = all(verdict.ok for verdict in verdicts.values())
        document = {
            "status": "ready" if ready else "not ready",
            "checks": {name: verdict.state for name, verdict in verdicts.items()},
        }
        await _respond(scope, send, 200 if ready else 503, orjson.dumps(document))


async def _respond(scope: Scope, send: Send, status: int, body: bytes, kind: str = "application/json") -> None:
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
