"""What observers are told.

Records carry no text of prompts or answers unless the configuration says ``capture = "content"``.

Order within one call::

    CallStarted  RouteDecided  (StepChosen  (AttemptStarted  FirstEvent?  (AttemptFinished | AttemptFailed))+)*
    CallFinished

``RouteDecided`` is missing where a gatekeeper refused the call; the attempts of a race overlap.

Times (``elapsed``) are seconds since the start of the call or of the attempt the record speaks of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

from .events import Event
from .models import Price, Residency
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
    "StepChosen",
]


@frozen(kw_only=True)
class CallStarted:
    """A call came in. ``request`` is there only when content is captured.

    ``parent`` is the id of the call of which this one is an attempt (a route inside a route), ``depth`` how many calls
    stand around this one.
    """

    call_id: str
    route: str
    operation: Literal["chat", "stream", "embed"]
    metadata: Mapping[str, str] = field(factory=dict)
    request: Request | None = None
    parent: str | None = None
    depth: int = 0


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
class StepChosen:
    """The strategy chose whom to try next: one target, or several that race.

    ``scores`` and ``probability`` are what the strategy says of its choice; see :class:`mlo.routing.Step`.
    """

    call_id: str
    targets: tuple[str, ...]
    scores: Mapping[str, float] = field(factory=dict)
    probability: float | None = None


@frozen(kw_only=True)
class AttemptStarted:
    """An attempt begins (before it waits for a free slot). ``attempt`` counts from 1 within the call.

    ``provider`` is the instance's name, ``plugin`` the id of its plugin (``route`` for a route inside a route),
    ``price`` what the model asked for costs there, where that is known.
    """

    call_id: str
    attempt: int
    target: str
    model: str | None = None
    provider: str = ""
    plugin: str = ""
    price: Price | None = None
    residency: Residency = Residency()


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
    ``reached`` says whether the provider was called at all, ``queued`` how many seconds it waited for a free slot,
    ``first_event`` the time to a stream's first event, ``characters`` how much text of the answer had come.
    """

    call_id: str
    attempt: int
    target: str
    elapsed: float
    error: Exception | None = None
    cancelled: bool = False
    usage: Usage = Usage()
    reached: bool = True
    queued: float = 0.0
    first_event: float | None = None
    characters: int = 0


@frozen(kw_only=True)
class AttemptFinished:
    """An attempt succeeded. ``response`` is there only when content is captured.

    ``queued``, ``first_event`` and ``characters`` as in :class:`AttemptFailed`.
    """

    call_id: str
    attempt: int
    target: str
    elapsed: float
    model: str | None = None
    usage: Usage = Usage()
    finish_reason: FinishReason | None = None
    request_id: str | None = None
    response: ChatResponse | None = None
    queued: float = 0.0
    first_event: float | None = None
    characters: int = 0


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
    """A target's circuit breaker changed its state; ``hinted`` if somebody outside said so (``Router.hint``)."""

    target: str
    state: Literal["closed", "open", "half-open"]
    hinted: bool = False


@frozen(kw_only=True)
class ConfigReloaded:
    """A new configuration took effect for calls from here on. Names of provider instances."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


Record: TypeAlias = (
    CallStarted
    | RouteDecided
    | StepChosen
    | AttemptStarted
    | FirstEvent
    | EventSeen
    | AttemptFailed
    | AttemptFinished
    | CallFinished
    | BreakerChanged
    | ConfigReloaded
)
