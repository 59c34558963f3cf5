"""The seams between the gateway's parts: who calls, how much they may, what they are told when they may not.

The data plane knows accounts, limits and serving only by these values and protocols::

    ASGI server ─► create_app(gateway, control) ─┬─ /v1/…       data plane: Authenticator ─► Limiter ─► Router
                                                 └─ all others  control plane (FastAPI), health, metrics
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from attrs import field, frozen

from mlo import Router
from mlo.api import Observer

from .config import GatewayConfig

__all__ = [
    "Authenticator",
    "Gateway",
    "GatewayError",
    "Header",
    "Limiter",
    "Principal",
    "Role",
    "Ticket",
    "Unwatch",
]

Role: TypeAlias = Literal["owner", "developer", "viewer"]
Header: TypeAlias = tuple[bytes, bytes]
Unwatch: TypeAlias = Callable[[], None]


class GatewayError(Exception):
    """A request that ends with an error of ours, in OpenAI's shape.

    ``status`` is the HTTP status, ``code`` the machine-readable word, ``type`` OpenAI's class of errors (such as
    ``invalid_request_error``), ``param`` the field of the request that it is about, ``retry_after`` seconds,
    ``details`` further machine-readable facts (a scope, a time of reset; ``retryable = False`` asks clients not to try
    again). Nothing in it may be secret: all of it is sent.
    """

    def __init__(
        self,
        status: int,
        code: str,
        type: str,  # noqa: A002 - the name that the wire has
        message: str,
        *,
        param: str | None = None,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.type, self.message = status, code, type, message
        self.param, self.retry_after = param, retry_after
        self.details: Mapping[str, Any] = details or {}


@frozen(kw_only=True)
class Principal:
    """Who calls: a virtual key and what hangs on it.

    ``key_id`` and ``prefix`` identify the key without giving it away. ``models`` are glob patterns of model names as
    clients write them (instances, ``instance/model``, routes, aliases); ``None`` allows all. ``limits`` is whatever the
    limiter needs to find its limits again. ``expires_at`` is Unix time; ``generation`` grows with each change of the
    key.
    """

    key_id: str
    prefix: str = ""
    organization: str = ""
    project: str = ""
    role: Role = "developer"
    scopes: frozenset[str] = frozenset()
    models: tuple[str, ...] | None = None
    plan: str = ""
    limits: object = field(default=None, repr=False)
    expires_at: float | None = None
    generation: int = 0


class Authenticator(Protocol):
    """Tells who calls."""

    def authenticate(self, authorization: bytes | None, /) -> Principal | Awaitable[Principal]:
        """Who sent this ``Authorization`` header: at once from memory, or after asking the database.

        Raises:
            GatewayError: 401 when the header is missing or the key unknown, expired or revoked.
        """

    def watch(self, principal: Principal, revoked: Callable[[str], None], /) -> Unwatch:
        """Have ``revoked(why)`` called once when the key ends (revoked, expired), until the result is called.

        Called in the event loop's thread; ``revoked`` does not block. For streams: a second call of the result does
        nothing.
        """


class Ticket(Protocol):
    """A request that was let in."""

    @property
    def headers(self) -> Sequence[Header]:
        """Rate-limit headers for the answer, names in lower case: ``x-ratelimit-limit-requests`` and so on."""

    def leave(self, tokens: int | None, /) -> None:
        """The request is over, having used ``tokens`` (``None``: unknown). Further calls do nothing."""


class Limiter(Protocol):
    """Decides whether a request may go on now."""

    def enter(self, principal: Principal, tokens: int, /) -> Ticket | Awaitable[Ticket]:
        """Let a request in that will use about ``tokens``.

        Raises:
            GatewayError: 429 with ``retry_after`` and the ``scope`` among its details.
        """


@frozen(kw_only=True)
class Gateway:
    """What a running gateway consists of; a reload makes a new one.

    ``ledger`` and ``metrics`` are the open observers of those kinds, where there are any; ``clock`` is Unix time.
    """

    router: Router = field(repr=False)
    authenticator: Authenticator = field(repr=False)
    limiter: Limiter = field(repr=False)
    config: GatewayConfig = GatewayConfig()
    ledger: Observer | None = field(default=None, repr=False)
    metrics: Observer | None = field(default=None, repr=False)
    clock: Callable[[], float] = time.time
