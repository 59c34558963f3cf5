"""How a plugin's HTTP client behaves: options that a plugin puts into its configuration class as they are."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from mlo.secret import Secret

__all__ = ["HttpSettings", "Timeouts"]


@frozen(kw_only=True)
class Timeouts:
    """Limits in seconds; ``None`` waits as long as the deadline of the call allows.

    ``connect`` bounds connecting, TLS included; ``first_byte`` the wait for the head of an answer once the request is
    sent; ``idle`` the silence between two pieces of a body. The whole call is bounded by the kernel's deadline.
    """

    connect: float | None = 10.0
    first_byte: float | None = 120.0
    idle: float | None = 60.0


@frozen(kw_only=True)
class HttpSettings:
    """Options of the connection pool.

    ``max_connections`` caps open connections (``None``: no cap; the kernel limits calls under way on its own),
    ``max_idle`` those kept for reuse, each for ``keep_alive`` seconds. ``proxy`` is a proxy URL; with ``trust_env`` the
    environment (``HTTPS_PROXY``, ``NO_PROXY``) is asked when there is none. ``transport`` chooses who speaks HTTP:
    ``direct`` is this package's own, with the least CPU per call and per event of a stream (see :mod:`mlo_sdk.direct`);
    behind a proxy it leaves the work to ``httpx``, which is httpx's own transport. ``aiohttp`` runs on asyncio only,
    knows no proxies and no ``max_idle``, and needs the extra ``mlo-sdk[aiohttp]``.
    """

    timeouts: Timeouts = Timeouts()
    max_connections: int | None = None
    max_idle: int = 100
    keep_alive: float = 60.0
    proxy: Secret | None = field(default=None)
    trust_env: bool = False
    transport: Literal["direct", "httpx", "aiohttp"] = "direct"
