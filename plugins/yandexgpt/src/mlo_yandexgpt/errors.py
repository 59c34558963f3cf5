"""What the cloud refuses, in the kernel's words.

The vendor reserves the right to change messages, so status and gRPC code decide; messages only tell kinds apart that
share a code: which quota was hit, whether a prompt was too long. An unknown message falls back to the kind's general
error.
"""

from __future__ import annotations

import re

from attrs import evolve

from mlo.errors import (
    ContextTooLong,
    ModelNotFound,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    TransportFailed,
    Unsupported,
)
from mlo_sdk.errors import ErrorRule, ErrorTable, Failure

__all__ = ["ERRORS", "YandexErrors"]

# The cloud never says when to come back. A generation takes a second or more to free its place in the gauge.
_GAUGE_WAIT = 0.5
_RATE_WAIT = 1.0
_GAUGE = re.compile(r"\.count\b|gauge", re.IGNORECASE)
_HINTS = {
    401: "an API key may be unknown or expired; an IAM token lives 12 hours at most",
    403: "give the service account the role ai.languageModels.user, and see that the billing account is active",
}


class YandexErrors(ErrorTable):
    """The table, with what this vendor leaves out: how long to wait, and what to do."""

    def error(self, failure: Failure) -> ProviderError:
        """The error to raise for ``failure``."""
        if failure.code is not None and not failure.code.isdecimal():  # a text where a gRPC code should be
            failure = evolve(failure, code=None)
        if failure.status == 429 and failure.retry_after is None and self.leaf(failure) is RateLimited:
            failure = evolve(failure, retry_after=_GAUGE_WAIT if _GAUGE.search(failure.message) else _RATE_WAIT)
        hint = _HINTS.get(failure.status or 0)
        if hint:
            failure = evolve(failure, message=f"{failure.message or 'no reason given'} ({hint})")
        return super().error(failure)


ERRORS = YandexErrors(
    rules=(
        ErrorRule(QuotaExhausted, status=429, message=r"per(hour|day|month)"),
        ErrorRule(ContextTooLong, status=400, message=r"number of input tokens must be no more than"),
        ErrorRule(ContextTooLong, status=400, message=r"text length is \d+, which is outside the range"),
        ErrorRule(ModelNotFound, status=400, message=r"model[ _]ur[il]|failed to get model"),
        ErrorRule(PermissionDenied, status=400, message=r"folder id .* does not match"),
        ErrorRule(ContextTooLong, code="model_call_error", message=r"number of input tokens"),
    ),
    by_status={499: TransportFailed, 501: Unsupported},
)
"""The table for every host of the cloud."""
