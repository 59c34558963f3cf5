"""What observers are told.

Records carry no text of prompts or answers unless the configuration says ``capture = "content"``.

Order within one call::

    CallStarted  RouteDecided  (AttemptStarted  FirstEvent?  (AttemptFinished | AttemptFailed))*  CallFinished

Times (``elapsed``) are seconds since the start of the call or of the attempt the record speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from .events import Event
from .responses import ChatResponse, FinishReason, Usage
from .routing import Request

__all__ = [
    "AttemptFailed",
    "AttemptFinished",
    "AttemptStarted",
    "BreakerChanged",
    "CallFinished",
    "CallStarted",
    "ConfigReloaded",
    "EventSeen",
    "FirstEvent",
    "Record",
    "RouteDecided",
]


@frozen(kw_only=True)
class CallStarted:
    """A call came in. ``request`` is there only when content is captured."""

    call_id: str
    route: str
    operation: Literal["chat", "stream", "embed"]
    metadata: Mapping[str, str] = field(factory=dict)
    request: Request | None = None


@frozen(kw_only=True)
class RouteDecided:
    """Who may answer.

    ``candidates`` were eligible, in the order of the route; ``rejected`` gives a reason per target.
    """

    call_id: str
    route: str
    strategy: str
    candidates: tuple[str, ...]
    rejected: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class AttemptStarted:
    """An attempt begins (before it waits for a free slot). ``attempt`` counts from 1 within the call."""

    call_id: str
    attempt: int
    target: str
    model: str | None = None


@frozen(kw_only=True)
class FirstEvent:
    """A streamed attempt has committed: from here on nobody else will answer."""

    call_id: str
    attempt: int
    target: str
    elapsed: float


@frozen(kw_only=True)
class EventSeen:
    """One event of a stream. Sent only to observers that want it, and with its text only when content is captured."""

    call_id: str
    target: str
    kind: str
    event: Event | None = None


@frozen(kw_only=True)
class AttemptFailed:
    """An attempt failed.

    A cancelled attempt (a lost race, a caller that left) has ``cancelled`` set; ``error`` is then ``None``.
    """

    call_id: str
    attempt: int
    target: str
    elapsed: float
    error: Exception | None = None
    cancelled: bool = False
    usage: Usage = Usage()


@frozen(kw_only=True)
class AttemptFinished:
    """An attempt succeeded. ``response`` is there only when content is captured."""

    call_id: str
    attempt: int
    target: str
    elapsed: float
    model: str | None = None
    usage: Usage = Usage()
    finish_reason: FinishReason | None = None
    request_id: str | None = None
    response: ChatResponse | None = None


@frozen(kw_only=True)
class CallFinished:
    """The call is over, exactly once for each ``CallStarted``.

    ``abandoned`` is a stream that its reader left before the end. ``target`` is who answered, if anybody did.
    """

    call_id: str
    route: str
    status: Literal["ok", "error", "cancelled", "abandoned"]
    elapsed: float
    attempts: int
    target: str | None = None
    usage: Usage = Usage()
    error: Exception | None = None


@frozen(kw_only=True)
class BreakerChanged:
    """A target's circuit breaker changed its state."""

    target: str
    state: Literal["closed", "open", "half-open"]


@frozen(kw_only=True)
class ConfigReloaded:
    """A new configuration took effect for calls from here on. Names of provider instances."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


Record: TypeAlias = (
    CallStarted
    | RouteDecided
    | AttemptStarted
    | FirstEvent
    | EventSeen
    | AttemptFailed
    | AttemptFinished
    | CallFinished
    | BreakerChanged
    | ConfigReloaded
)
