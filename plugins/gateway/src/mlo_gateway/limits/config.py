"""The tables ``[gateway.limits]`` and ``[gateway.admission]``."""

from __future__ import annotations

import math
from typing import Any, Literal

from attrs import Attribute, field, frozen

from mlo.secret import Secret

__all__ = ["AdmissionConfig", "LimitsConfig"]


def _positive(instance: object, attribute: Attribute[Any], value: float | None) -> None:
    if value is not None and not (value > 0 and math.isfinite(value)):
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must be a number > 0, got {value!r}")


def _not_negative(instance: object, attribute: Attribute[Any], value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must be a number >= 0, got {value!r}")


@frozen(kw_only=True)
class LimitsConfig:
    """``[gateway.limits]``: how rates and concurrency are kept. Times are in seconds.

    ``requests`` and ``tokens`` (per minute) and ``concurrency`` are for the gateway as a whole; those of keys, projects
    and organizations come from their plans. ``burst`` is how many seconds' worth of a rate may come at once.

    ``redis`` is the URL of a Redis or Valkey server by which replicas share what they count, as a reference where it
    holds a password; without one each process counts for itself. While the server cannot be reached, ``redis_down``
    says what becomes of requests: ``open`` lets each replica count alone, ``closed`` refuses them. A command that
    takes longer than ``redis_timeout`` counts as out of reach. ``lease`` is how long the place of a request in flight
    outlives a replica that was killed. ``prefix`` begins the names of all keys on the server.

    ``scopes`` bounds how many scopes one process remembers at a time; requests of further ones are refused until the
    oldest are forgotten, which takes at most ``burst`` seconds.

    Raises:
        ValueError: when a number is out of its range.
    """

    requests: int | None = field(default=None, validator=_positive)
    tokens: int | None = field(default=None, validator=_positive)
    concurrency: int | None = field(default=None, validator=_positive)
    burst: float = field(default=60.0, validator=_positive)
    redis: Secret | None = None
    redis_down: Literal["open", "closed"] = "open"
    redis_timeout: float = field(default=0.5, validator=_positive)
    lease: float = field(default=15.0, validator=_positive)
    prefix: str = "mlo"
    scopes: int = field(default=200_000, validator=_positive)

    def __attrs_post_init__(self) -> None:
        if self.burst > 60:
            raise ValueError(
                f"`burst` of LimitsConfig is at most 60, the minute that limits are per; got {self.burst!r}"
            )


@frozen(kw_only=True)
class AdmissionConfig:
    """``[gateway.admission]``: how much work one process takes on at a time.

    ``in_flight`` requests of the data plane are served at once, ``queue`` more wait for up to ``queue_timeout``
    seconds; all others get 503 and are told to come back after ``retry_after`` seconds.

    Raises:
        ValueError: when a number is out of its range.
    """

    in_flight: int = field(default=1000, validator=_positive)
    queue: int = field(default=1000, validator=_not_negative)
    queue_timeout: float = field(default=2.0, validator=_positive)
    retry_after: float = field(default=1.0, validator=_positive)
