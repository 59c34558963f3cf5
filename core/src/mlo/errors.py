"""Everything that can go wrong, as one tree.

::

    MloError
    ├── ConfigError                       the configuration is wrong: where, why, how to mend it
    ├── PluginError                       a plugin cannot be used
    │   ├── PluginNotFound                nobody installed offers that id
    │   ├── PluginBlocked                 installed, but the policy of the profile says no
    │   ├── PluginConflict                two distributions offer one id and none is preferred
    │   ├── PluginIncompatible            made for another version of the plugin API
    │   └── PluginLoadFailed              its import or registration raised: see ``__cause__``
    ├── CallError                         a routed call failed as a whole
    │   ├── CallRefused                   a gatekeeper said no before anything was sent: see ``reason``
    │   ├── NoTarget                      no target was eligible
    │   ├── DeadlineExceeded              the time of the whole call ran out
    │   ├── CallCancelled                 ``Stream.cancel()`` was called
    │   └── AttemptsExhausted             more than one attempt, all failed: see ``outcomes``
    └── ProviderError                     one attempt at one target failed
        ├── AuthFailed, PermissionDenied                              fatal
        ├── InvalidRequest                                            fatal
        │   ├── ContextTooLong, ContentBlocked                        fatal
        │   └── Unsupported                                           another target may serve it
        ├── ModelNotFound, QuotaExhausted, ProtocolViolated           another target may serve it
        ├── AnswerRejected, PluginFault                               another target may serve it
        ├── RateLimited, Overloaded, ServerFault, TransportFailed     another target, or this one later
        └── StreamInterrupted                                         after the first event: carries the partial answer

A *fatal* error never fans out over other vendors. Plugins raise leaves of ``ProviderError`` only, chained to the real
cause.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .responses import ChatResponse
    from .routing import Outcome

__all__ = [
    "AnswerRejected",
    "AttemptsExhausted",
    "AuthFailed",
    "CallCancelled",
    "CallError",
    "CallRefused",
    "ConfigError",
    "ContentBlocked",
    "ContextTooLong",
    "DeadlineExceeded",
    "InvalidRequest",
    "MloError",
    "ModelNotFound",
    "NoTarget",
    "Overloaded",
    "PermissionDenied",
    "PluginBlocked",
    "PluginConflict",
    "PluginError",
    "PluginFault",
    "PluginIncompatible",
    "PluginLoadFailed",
    "PluginNotFound",
    "ProtocolViolated",
    "ProviderError",
    "QuotaExhausted",
    "RateLimited",
    "ServerFault",
    "StreamInterrupted",
    "TransportFailed",
    "Unsupported",
]


class MloError(Exception):
    """The root of all errors raised on purpose."""


class ConfigError(MloError):
    """The configuration is wrong.

    ``path`` is where (``providers.giga-main.auth.key``), ``reason`` what is wrong, ``hint`` how to mend it,
    ``source`` the file, if any. Where several things are wrong at once, ``problems`` holds an error for each.
    """

    def __init__(
        self,
        path: str,
        reason: str,
        *,
        hint: str = "",
        source: str | None = None,
        problems: Sequence[ConfigError] = (),
    ) -> None:
        super().__init__(path, reason)
        self.path, self.reason, self.hint, self.source = path, reason, hint, source
        self.problems = tuple(problems)

    def __str__(self) -> str:
        where = f"{self.source}: {self.path}" if self.source else self.path
        return f"{where}: {self.reason}" + (f" ({self.hint})" if self.hint else "")


class PluginError(MloError):
    """A plugin cannot be used.

    ``kind`` and ``plugin_id`` say which; ``dist`` and ``version`` which distribution it came from.
    """

    def __init__(
        self, message: str, *, kind: str, plugin_id: str, dist: str | None = None, version: str | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.plugin_id, self.dist, self.version = kind, plugin_id, dist, version


class PluginNotFound(PluginError):
    """No installed distribution offers that id."""


class PluginBlocked(PluginError):
    """The profile's policy forbids the plugin."""


class PluginConflict(PluginError):
    """Several distributions offer the id, and the configuration prefers none of them."""


class PluginIncompatible(PluginError):
    """The plugin was made for another version of the plugin API."""


class PluginLoadFailed(PluginError):
    """Importing or registering the plugin failed; the real error is the ``__cause__``."""


class CallError(MloError):
    """A routed call failed as a whole. ``call_id`` is the one that observers saw."""

    def __init__(self, message: str, *, call_id: str = "") -> None:
        super().__init__(message)
        self.call_id = call_id


class NoTarget(CallError):
    """No target of the route was eligible; ``reasons`` says why, by target."""

    def __init__(self, message: str, *, reasons: Mapping[str, str], call_id: str = "") -> None:
        super().__init__(message, call_id=call_id)
        self.reasons = dict(reasons)


class CallRefused(CallError):
    """A gatekeeper refused the call before anything was sent.

    ``reason`` is a word for programs, such as ``budget-exhausted``; ``scope`` says whose limit it was, ``retry_after``
    in how many seconds the same call may be let through, where that is known.
    """

    def __init__(
        self, message: str, *, reason: str, scope: str = "", retry_after: float | None = None, call_id: str = ""
    ) -> None:
        super().__init__(message, call_id=call_id)
        self.reason, self.scope, self.retry_after = reason, scope, retry_after


class DeadlineExceeded(CallError):
    """The time allowed for the whole call ran out. ``partial`` is what a stream had delivered by then."""

    def __init__(
        self,
        message: str,
        *,
        call_id: str = "",
        outcomes: Sequence[Outcome] = (),
        partial: ChatResponse | None = None,
    ) -> None:
        super().__init__(message, call_id=call_id)
        self.outcomes = tuple(outcomes)
        self.partial = partial


class CallCancelled(CallError):
    """Somebody called ``Stream.cancel()``. ``partial`` is what had been delivered by then."""

    def __init__(self, message: str, *, call_id: str = "", partial: ChatResponse | None = None) -> None:
        super().__init__(message, call_id=call_id)
        self.partial = partial


class AttemptsExhausted(CallError):
    """Every attempt failed; ``outcomes`` lists all of them in the order of their ends.

    The ``__cause__`` is the last error.
    """

    def __init__(self, message: str, *, outcomes: Sequence[Outcome], call_id: str = "") -> None:
        super().__init__(message, call_id=call_id)
        self.outcomes = tuple(outcomes)


class ProviderError(MloError):
    """One attempt at one target failed.

    ``retryable``: the same target may serve the same request a little later. ``failover``: another target may serve
    it now.
    ``health``: the failure says something about the target's health and so counts for its circuit breaker.
    All three are facts of the class that an instance may override. ``retry_after`` is in seconds.
    ``target`` is filled in by the kernel.
    """

    retryable: bool = False
    failover: bool = False
    health: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        target: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        failover: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.target, self.status, self.code = target, status, code
        self.request_id, self.retry_after = request_id, retry_after
        if retryable is not None:
            self.retryable = retryable
        if failover is not None:
            self.failover = failover

    def __str__(self) -> str:
        facts = [
            f"HTTP {self.status}" if self.status is not None else "",
            f"code {self.code}" if self.code else "",
            f"request {self.request_id}" if self.request_id else "",
            f"retry after {self.retry_after:g} s" if self.retry_after is not None else "",
        ]
        known = ", ".join(fact for fact in facts if fact)
        where = f"{self.target}: " if self.target else ""
        return f"{where}{self.message}" + (f" [{known}]" if known else "")


class AuthFailed(ProviderError):
    """The credentials were rejected."""


class PermissionDenied(ProviderError):
    """The credentials are valid, but not for this."""


class ModelNotFound(ProviderError):
    """The provider does not have that model (any more, or not pulled yet)."""

    failover = True


class InvalidRequest(ProviderError):
    """The request itself is wrong: no other vendor would be a better place for it."""


class ContextTooLong(InvalidRequest):
    """The prompt does not fit the model's context."""


class ContentBlocked(InvalidRequest):
    """The vendor's content policy refused the prompt."""


class Unsupported(InvalidRequest):
    """This provider cannot do what the request asks for; another may."""

    failover = True


class RateLimited(ProviderError):
    """Too many requests for now."""

    retryable = True
    failover = True


class QuotaExhausted(ProviderError):
    """The money or the long-term quota is used up."""

    failover = True


class Overloaded(ProviderError):
    """The service says that it is too busy."""

    retryable = True
    failover = True
    health = True


class ServerFault(ProviderError):
    """The service failed."""

    retryable = True
    failover = True
    health = True


class TransportFailed(ProviderError):
    """No answer came: refused, reset, timed out, TLS."""

    retryable = True
    failover = True
    health = True


class ProtocolViolated(ProviderError):
    """The answer is not what the protocol promises. ``sample`` shows the first bytes of it."""

    failover = True
    health = True

    def __init__(
        self, message: str, *, sample: str = "", status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.sample = sample

    def __str__(self) -> str:
        return super().__str__() + (f": {self.sample!r}" if self.sample else "")


class AnswerRejected(ProviderError):
    """The strategy did not accept the answer (a cascade that goes on to a stronger model).

    ``response`` is that answer.
    """

    failover = True

    def __init__(self, message: str, *, response: ChatResponse) -> None:
        super().__init__(message)
        self.response = response


class PluginFault(ProviderError):
    """The provider plugin raised something that is not a ``ProviderError``: a bug in the plugin. See ``__cause__``."""

    failover = True


class StreamInterrupted(ProviderError):
    """The stream broke after its first event; ``partial`` is the answer up to there.

    Never retried: text was delivered.
    """

    health = True

    def __init__(
        self,
        message: str,
        *,
        partial: ChatResponse,
        target: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, target=target, status=status, request_id=request_id)
        self.partial = partial
