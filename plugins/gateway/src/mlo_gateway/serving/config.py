"""The table ``[gateway.serve]``."""

from __future__ import annotations

import math
from ipaddress import ip_address
from typing import Any

from attrs import Attribute, field, frozen

__all__ = ["ServeConfig"]


def _positive(instance: object, attribute: Attribute[Any], value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must be a number > 0, got {value!r}")


def _not_negative(instance: object, attribute: Attribute[Any], value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must be a number >= 0, got {value!r}")


def _port(instance: object, attribute: Attribute[Any], value: int) -> None:
    if not 0 <= value <= 65_535:
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must lie between 0 and 65535, got {value!r}")


@frozen(kw_only=True)
class ServeConfig:
    """``[gateway.serve]``: where the gateway listens, and how it treats connections. Times are in seconds.

    ``host`` and ``port`` are the address, of this machine alone by default; port 0 takes a free one. ``workers`` are
    processes that share the port; ``0`` serves in the process itself. ``reuse_port`` lets another gateway listen on the
    same port at the same time, so that a new one can take over from an old one.

    ``tls_cert`` and ``tls_key`` are files in PEM. ``trusted_proxies`` are the addresses or networks whose
    ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed; by default nobody's.

    ``header_limit`` bounds the head of a request in bytes, and ``header_timeout`` how long it may take to arrive;
    ``idle_timeout`` is how long a connection may stay open without a request, ``connections`` how many may be open.
    Bodies are bounded in ``[gateway.data]``.

    On SIGTERM the gateway says that it is not ready, waits ``drain_delay`` for load balancers to see it, stops
    accepting, and lets requests run on for up to ``drain_timeout``; streams that are still open then end with an error
    event.

    ``metrics`` serves ``/metrics`` on the same port to whoever can reach it; by default only where nobody but this
    machine can.

    Raises:
        ValueError: when a number is out of its range, or one of the TLS files is missing.
    """

    host: str = "127.0.0.1"
    port: int = field(default=8080, validator=_port)
    workers: int = field(default=0, validator=_not_negative)
    reuse_port: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    header_limit: int = field(default=65_536, validator=_positive)
    header_timeout: float = field(default=10.0, validator=_positive)
    idle_timeout: float = field(default=75.0, validator=_positive)
    connections: int = field(default=20_000, validator=_positive)
    drain_delay: float = field(default=0.0, validator=_not_negative)
    drain_timeout: float = field(default=30.0, validator=_not_negative)
    metrics: bool | None = None

    def __attrs_post_init__(self) -> None:
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise ValueError("`tls_cert` and `tls_key` of ServeConfig belong together: give both, or neither")

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the gateway."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # a name leads wherever its owner says
            return False

    @property
    def shows_metrics(self) -> bool:
        """Whether ``/metrics`` is served."""
        return self.is_local if self.metrics is None else self.metrics
