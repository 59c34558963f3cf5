"""Errors in OpenAI's shape."""

from __future__ import annotations

import math

import orjson

from mlo_gateway.contracts import GatewayError, Header

from .fields import Json

__all__ = ["error_body", "error_event", "error_headers"]

_HOPELESS = frozenset({402, 501})


def error_body(error: GatewayError) -> bytes:
    """The JSON of an error."""
    return orjson.dumps({"error": _error(error)})


def error_event(error: GatewayError) -> bytes:
    """An error in the middle of a stream of server-sent events."""
    return b"data: " + error_body(error) + b"\n\n"


def error_headers(error: GatewayError) -> list[Header]:
    """When to come again: OpenAI's clients read both headers, and do not repeat what ``x-should-retry`` rules out."""
    headers: list[Header] = []
    if error.retry_after is not None:
        seconds = max(0.0, error.retry_after)
        headers.append((b"retry-after", b"%d" % math.ceil(seconds)))
        headers.append((b"retry-after-ms", b"%d" % math.ceil(seconds * 1000)))
    if error.status in _HOPELESS or error.details.get("retryable") is False:
        headers.append((b"x-should-retry", b"false"))
    return headers


def _error(error: GatewayError) -> Json:
    return {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
        **({"retry_after": error.retry_after} if error.retry_after is not None else {}),
        **error.details,
    }
