"""From what a server said to the kernel's errors, by table.

::

    status, headers, body ──► Failure ──► rules (first match) ──► by status ──► 4xx / 5xx ──► a leaf of ProviderError
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from attrs import evolve, field, frozen

from mlo.errors import (
    AuthFailed,
    ContentBlocked,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    ProtocolViolated,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ServerFault,
    TransportFailed,
)

__all__ = ["ErrorRule", "ErrorTable", "Failure", "redact", "retry_after_of"]

_SAMPLE = 200


@frozen(kw_only=True)
class Failure:
    """What a server said when it refused. ``retry_after`` is in seconds."""

    status: int | None = None
    code: str | None = None
    message: str = ""
    request_id: str | None = None
    retry_after: float | None = None

    @classmethod
    def of_body(cls, data: object, text: str = "") -> Failure:
        """Code and message out of an error body.

        ``data`` is the parsed JSON, or ``None``; ``text`` the raw body, of which a short sample is shown when there is
        nothing better. Knows the shapes of OpenAI, GigaChat, Yandex Cloud, FastAPI, vLLM and OAuth servers.
        """
        code, message = _described(data)
        told = _told_status(data)
        return cls(status=told, code=code, message=message or _sample(text))


@frozen
class ErrorRule:
    """``raises`` when everything that is given matches.

    ``code`` is a regular expression for the whole code, ``message`` one to be found anywhere in the message, both
    without regard to case.
    """

    raises: type[ProviderError]
    status: int | None = field(default=None, kw_only=True)
    code: str | None = field(default=None, kw_only=True)
    message: str | None = field(default=None, kw_only=True)

    def matches(self, failure: Failure) -> bool:
        """Whether this rule is about ``failure``."""
        return (
            (self.status is None or self.status == failure.status)
            and (self.code is None or re.fullmatch(self.code, failure.code or "", re.IGNORECASE) is not None)
            and (self.message is None or re.search(self.message, failure.message, re.IGNORECASE) is not None)
        )


# The codes are those of OpenAI's API and of servers that follow it.
_COMMON_RULES = (
    ErrorRule(ContextTooLong, code="context_length_exceeded|context_window_exceeded|exceed_context_size_error"),
    ErrorRule(ContentBlocked, code="content_filter|content_policy_violation"),
    ErrorRule(QuotaExhausted, code="insufficient_quota|billing_hard_limit_reached|billing_not_active"),
    ErrorRule(ModelNotFound, code="model_not_found"),
    ErrorRule(AuthFailed, code="invalid_api_key"),
    ErrorRule(RateLimited, code="rate_limit_exceeded|rate_limit_error"),
    ErrorRule(Overloaded, code="overloaded_error|engine_overloaded"),
    ErrorRule(
        ContextTooLong,
        status=400,
        message="maximum context length|context length exceeded|exceeds? the (available )?context (size|window|length)",
    ),
    ErrorRule(  # text-generation-inference (422); LM Studio, which also says it inside a stream
        ContextTooLong,
        message=r"`inputs` (must have less than|tokens \+ `max_new_tokens` must be)|trying to keep the first \d+ tokens"
        "|tokens to keep from the initial prompt|context size has been exceeded",
    ),
)
_BY_STATUS: Mapping[int, type[ProviderError]] = {
    401: AuthFailed,
    402: QuotaExhausted,
    403: PermissionDenied,
    404: ModelNotFound,
    408: TransportFailed,  # no answer came: the same for 504
    413: ContextTooLong,
    429: RateLimited,
    503: Overloaded,
    504: TransportFailed,
    529: Overloaded,
}
_HINTS = {
    404: "check base_url and the name of the model",
    407: "the proxy wants credentials",
}


@frozen(kw_only=True)
class ErrorTable:
    """Which leaf of ``ProviderError`` a failure is. Vendors put their own ``rules`` before the common ones."""

    rules: tuple[ErrorRule, ...] = ()
    by_status: Mapping[int, type[ProviderError]] = field(factory=dict)
    common: tuple[ErrorRule, ...] = _COMMON_RULES

    def extended(self, *rules: ErrorRule, by_status: Mapping[int, type[ProviderError]] | None = None) -> ErrorTable:
        """A table that looks at ``rules`` and ``by_status`` first."""
        return evolve(self, rules=rules + self.rules, by_status={**self.by_status, **(by_status or {})})

    def leaf(self, failure: Failure) -> type[ProviderError]:
        """The class that fits ``failure`` best."""
        for rule in (*self.rules, *self.common):
            if rule.matches(failure):
                return rule.raises
        return self._by_status(failure.status)

    def _by_status(self, status: int | None) -> type[ProviderError]:
        if status is None:
            return ServerFault
        found = self.by_status.get(status) or _BY_STATUS.get(status)
        if found is not None:
            return found
        if status >= 500:
            return ServerFault
        return InvalidRequest if status >= 400 else ProtocolViolated

    def error(self, failure: Failure) -> ProviderError:
        """The error to raise for ``failure``."""
        leaf = self.leaf(failure)
        message = failure.message or "the server gave no reason"
        hint = _HINTS.get(failure.status or 0)
        if hint:
            message = f"{message} ({hint})"
        if issubclass(leaf, ProtocolViolated):
            return leaf(message, status=failure.status, request_id=failure.request_id)
        return leaf(
            message,
            status=failure.status,
            code=failure.code,
            request_id=failure.request_id,
            retry_after=failure.retry_after,
        )


def retry_after_of(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait according to ``Retry-After`` (seconds or an HTTP date) or ``Retry-After-Ms``; ``None`` if unsaid.

    ``now`` is Unix time, for dates. Nonsense counts as unsaid.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:  # "-0000" means UTC of unknown origin
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - (time.time() if now is None else now))


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` without ``secrets``: some servers repeat the rejected key in their message."""
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, "****")
    return text


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _described(data: object) -> tuple[str | None, str]:
    if isinstance(data, str):
        return None, data
    if not isinstance(data, dict):
        return None, ""
    inner = data.get("error")
    if isinstance(inner, dict):
        return _described(inner)
    message = _first_text(data, "message", "detail", "error_description")
    if isinstance(inner, str):  # {"error": "text"}; of an OAuth server {"error": "code", "error_description": "text"}
        if not message:
            return _code(data), inner
        return (_code(data) if "code" in data else inner), message  # with a code of its own it is Yandex Cloud's
    return _code(data), message or ""


def _told_status(data: object) -> int | None:
    """An HTTP status inside the body, which counts where the answer itself has none (in a stream)."""
    if not isinstance(data, dict):
        return None
    inner = data.get("error")
    if isinstance(inner, dict):
        return _told_status(inner)
    told = (data.get(key) for key in ("code", "status", "httpCode", "status_code"))
    return next((value for value in told if type(value) is int and 400 <= value <= 599), None)


def _code(data: dict[str, Any]) -> str | None:
    """The most telling code: a word says more than the number that repeats the HTTP status."""
    found = [text for key in ("code", "type", "grpcCode", "status") if (text := _first_text(data, key))]
    return next((text for text in found if not text.isdigit()), found[0] if found else None)


def _first_text(data: dict[str, Any], *keys: str) -> str | None:
    for key in keys:
        value = data.get(key)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, list) and value:  # FastAPI: a list of what is wrong where
            return "; ".join(_complaint(item) for item in value)
    return None


def _complaint(item: object) -> str:
    if not isinstance(item, dict):
        return str(item)
    where = ".".join(str(part) for part in item.get("loc", ()))
    return f"{where}: {item.get('msg', '')}"


def _sample(text: str) -> str:
    """The beginning of a body that is not JSON, tags removed, as one line."""
    plain = re.sub(r"(?is)<(script|style)\b.*?</\1>|<[^>]*>", " ", text[:4000])
    return " ".join(plain.split())[:_SAMPLE]
