"""JSON the way Go writes it, and the errors of the server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

__all__ = ["Refused", "dumps", "line", "now", "without_zeros"]

_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


class Refused(Exception):
    """A request that the server does not serve; ``body`` holds more fields of the answer."""

    def __init__(self, status: int, error: str, **body: Any) -> None:
        super().__init__(error)
        self.status, self.error = status, error
        self.body: dict[str, Any] = {"error": error, **body}


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8. Like Go's encoder it escapes angle brackets and U+2028, and sends U+0085 as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES).encode()


def line(value: Any) -> bytes:
    """One line of a stream."""
    return dumps(value) + b"\n"


def now() -> str:
    """The time in RFC 3339 with nine digits, as Go prints it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def without_zeros(values: dict[str, Any]) -> dict[str, Any]:
    """The fields that are not zero: Go's `omitempty`."""
    return {name: value for name, value in values.items() if value}
