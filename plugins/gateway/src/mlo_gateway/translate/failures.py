"""What clients are told when a call fails: each error of the kernel as one in OpenAI's shape.

Errors about the request say what the provider said. Those about a provider's health or this gateway's configuration
name the target and no more: addresses and configuration are the operator's business, and stand in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlo.errors import (
    AttemptsExhausted,
    AuthFailed,
    CallCancelled,
    CallRefused,
    ContentBlocked,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    MloError,
    ModelNotFound,
    NoTarget,
    Overloaded,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    StreamInterrupted,
    TransportFailed,
    Unsupported,
)
from mlo_gateway.contracts import GatewayError

__all__ = ["failure_of"]

_UNAVAILABLE = 503
# status, code, type, what the client reads; the first class that fits counts
_OUR_SIDE: tuple[tuple[type[ProviderError], int, str, str], ...] = (
    (RateLimited, 429, "rate_limit_exceeded", "the provider takes no more requests for now"),
    (QuotaExhausted, _UNAVAILABLE, "provider_quota_exhausted", "the gateway's quota at the provider is used up"),
    (Overloaded, _UNAVAILABLE, "provider_overloaded", "the provider is too busy"),
    (AuthFailed, 502, "provider_auth_failed", "the provider rejected the gateway's credentials"),
    (PermissionDenied, 502, "provider_permission_denied", "the provider does not allow this to the gateway"),
    (StreamInterrupted, 502, "stream_interrupted", "the answer broke off before it was complete"),
    (TransportFailed, 502, "provider_unreachable", "no answer came from the provider"),
    (ServerFault, 502, "provider_error", "the provider failed"),
    (ProviderError, 502, "provider_error", "the provider could not answer"),
)
_REQUEST: tuple[tuple[type[ProviderError], int, str], ...] = (
    (ContextTooLong, 400, "context_length_exceeded"),
    (ContentBlocked, 400, "content_filter"),
    (Unsupported, 400, "unsupported_parameter"),
    (InvalidRequest, 400, "invalid_request"),
    (ModelNotFound, 404, "model_not_found"),
)
_REFUSALS: Mapping[str, tuple[int, str]] = {
    "requests-exhausted": (429, "insufficient_quota"),
    "budget-exhausted": (402, "billing_error"),
    "cannot-account": (_UNAVAILABLE, "server_error"),
    "gatekeeper-failed": (_UNAVAILABLE, "server_error"),
}


def failure_of(error: MloError) -> GatewayError:
    """The error that a client sees; the cause of it is ``error``."""
    for cause in _causes(error):
        if isinstance(cause, GatewayError):  # what was found wrong here when the request was read for this target
            return cause
    found = _found(error)
    found.__cause__ = error
    return found


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What led to the error, each once: the chain of a plugin may end in a ring."""
    seen = {id(error)}
    cause = error.__cause__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _found(error: MloError) -> GatewayError:
    if isinstance(error, ProviderError):
        return _of_provider(error)
    if isinstance(error, CallRefused):
        return _of_refusal(error)
    if isinstance(error, AttemptsExhausted):
        return _of_attempts(error)
    if isinstance(error, NoTarget):
        return _of_no_target(error)
    if isinstance(error, DeadlineExceeded):
        return GatewayError(504, "timeout", "server_error", "No answer came within the time allowed for the call.")
    if isinstance(error, CallCancelled):
        return GatewayError(503, "cancelled", "server_error", "The call was cancelled.")
    return GatewayError(500, "internal_error", "server_error", "The gateway could not serve the request.")


def _of_provider(error: ProviderError) -> GatewayError:
    for kind, status, code in _REQUEST:
        if isinstance(error, kind):
            return GatewayError(status, code, "invalid_request_error", error.message, details=_where(error))
    status, code, message = next((found[1:] for found in _OUR_SIDE if isinstance(error, found[0])), _OUR_SIDE[-1][1:])
    said = f"{error.target}: {message}." if error.target else f"{message[0].upper()}{message[1:]}."
    type_ = "rate_limit_error" if status == 429 else "server_error"
    details = _where(error)
    if not (error.retryable or error.failover):
        details["retryable"] = False
    return GatewayError(status, code, type_, said, retry_after=error.retry_after, details=details)


def _where(error: ProviderError) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if error.target:
        found["target"] = error.target
    if error.code and error.code.isascii():
        found["provider_code"] = error.code[:64]
    return found


def _of_refusal(error: CallRefused) -> GatewayError:
    status, type_ = _REFUSALS.get(error.reason, (403, "permission_error"))
    details: dict[str, Any] = (
        {"scope": error.scope, "reason": error.reason} if error.scope else {"reason": error.reason}
    )
    if status == 429:
        details["retryable"] = False  # a month's quota: to repeat in some seconds is of no use
    code = error.reason.replace("-", "_")
    return GatewayError(status, code, type_, str(error), retry_after=error.retry_after, details=details)


def _of_attempts(error: AttemptsExhausted) -> GatewayError:
    """As the last attempt failed, unless an earlier one says what is wrong with the request."""
    errors = [outcome.error for outcome in error.outcomes if isinstance(outcome.error, ProviderError)]
    if not errors:
        return GatewayError(502, "provider_error", "server_error", "No provider could answer.")
    telling = [each for each in errors if isinstance(each, (InvalidRequest, ModelNotFound))]
    found = _of_provider(telling[-1] if len(telling) == len(errors) else _worst(errors))
    found.message = f"All {len(error.outcomes)} attempts failed. {found.message}"
    return found


def _worst(errors: list[ProviderError]) -> ProviderError:
    """The one that tells when to come again, else the last that is not about the request."""
    about_us = [each for each in errors if not isinstance(each, (InvalidRequest, ModelNotFound))]
    return next((each for each in reversed(about_us) if each.retry_after is not None), about_us[-1])


def _of_no_target(error: NoTarget) -> GatewayError:
    reasons = list(error.reasons.values())
    if reasons and all(reason.startswith("lacks ") for reason in reasons):
        lacking = sorted({word for reason in reasons for word in reason.removeprefix("lacks ").split(", ")})
        message = f"This model cannot do what the request asks for: {', '.join(lacking)}."
        return GatewayError(400, "unsupported_parameter", "invalid_request_error", message, details={"lacks": lacking})
    message = "No provider can take the request now."
    return GatewayError(_UNAVAILABLE, "no_target", "server_error", message, retry_after=1.0)
