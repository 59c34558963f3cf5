"""Lines of the journal: JSON behind a checksum, so that a torn line is known for what it is. Pure."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

__all__ = ["decoded", "encoded"]

_dump = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), check_circular=False).encode
_HEAD = 9  # eight digits and a space


def encoded(value: Any) -> bytes:
    """One line. Being ASCII, it holds whatever text callers sent, lone surrogates included."""
    body = _dump(value).encode("ascii")
    return b"%08x %s\n" % (crc32(body), body)


def decoded(line: bytes) -> Any | None:
    """What the line says; ``None`` if it is torn or damaged."""
    body = line[_HEAD:].removesuffix(b"\n")
    try:
        if not line.endswith(b"\n") or int(line[: _HEAD - 1], 16) != crc32(body):
            return None
        return json.loads(body)
    except ValueError:
        return None
