"""Lines of the journal: JSON behind a checksum, so that a torn line is known for what it is. Pure."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

import orjson

__all__ = ["decoded", "encoded"]

_HEAD = 9  # eight digits and a space


def encoded(value: Any) -> bytes:
    """One line."""
    try:
        body = orjson.dumps(value)
    except TypeError:  # text with a lone surrogate, or a number beyond 64 bits: JSON in ASCII can say that
        body = json.dumps(value, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (crc32(body), body)


def decoded(line: bytes) -> Any | None:
    """What the line says; ``None`` if it is torn or damaged."""
    body = line[_HEAD:].removesuffix(b"\n")
    try:
        if not line.endswith(b"\n") or int(line[: _HEAD - 1], 16) != crc32(body):
            return None
        return json.loads(body)  # orjson knows neither lone surrogates nor whole numbers beyond 64 bits
    except ValueError:
        return None
