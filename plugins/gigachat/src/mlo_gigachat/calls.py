"""The parts of one call that are not its content: headers, and fields that go to the wire as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from mlo.errors import InvalidRequest

from .config import GigaChatConfig

__all__ = ["Envelope", "envelope"]

_HEADERS = {"client_id": "x-client-id", "session_id": "x-session-id", "request_id": "x-request-id"}
_OURS = frozenset({"messages", "model", "stream", "input"})


@frozen
class Envelope:
    """Headers of one call, and further fields of its body."""

    headers: Mapping[str, str]
    fields: Mapping[str, Any]


def envelope(extra: Mapping[str, Any], config: GigaChatConfig) -> Envelope:
    """What a request's ``extra`` and the configuration say about a call.

    ``client_id``, ``session_id`` and ``request_id`` become headers, everything else fields of the body.

    Raises:
        InvalidRequest: for fields that the request itself decides, or an id that a header cannot hold.
    """
    if taken := sorted(_OURS & extra.keys()):
        raise InvalidRequest(f"extra.{taken[0]} belongs to the request itself")
    ids = {"client_id": config.client_id, "session_id": config.session_id, "request_id": None}
    headers: dict[str, str] = {}
    for name, header in _HEADERS.items():
        value = extra.get(name, ids[name])
        if value is not None:
            headers[header] = _header(name, value)
    if not extra:
        return Envelope(headers, {})
    return Envelope(headers, {key: value for key, value in extra.items() if key not in _HEADERS})


def _header(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value.strip():
        raise InvalidRequest(f"{name} must be printable ASCII text: it becomes the header {_HEADERS[name]}")
    return value
