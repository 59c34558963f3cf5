"""Newline-delimited JSON, parsed from bytes as they come.

Sans-IO, like :mod:`mlo_sdk.sse`. Lines end with LF and with nothing else: U+2028, U+2029 and U+0085 are legal inside
JSON text, so ``str.splitlines`` would cut documents in two.
"""

from __future__ import annotations

import json
from typing import Any

from mlo.errors import ProtocolViolated, TransportFailed

__all__ = ["NdjsonParser"]

_SAMPLE = 120


class NdjsonParser:
    """A push parser of JSON objects, one a line. Time is linear in the bytes fed, however they are split."""

    __slots__ = ("_limit", "_pieces", "_size")

    def __init__(self, *, max_line_bytes: int = 16 * 2**20) -> None:
        self._limit = max_line_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The objects whose lines ``chunk`` completes; blank lines count for nothing.

        Raises:
            ProtocolViolated: when a line is not a JSON object, or longer than ``max_line_bytes``.
        """
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        if self._pieces:
            self._pieces.append(chunk)
            chunk = b"".join(self._pieces)
            self._pieces.clear()
        *lines, rest = chunk.split(b"\n")
        self._size = 0
        documents = [_document(line) for line in lines if line.strip()]
        self._keep(rest)
        return documents

    def close(self) -> list[dict[str, Any]]:
        """End of input: the last document, if it came without its line end.

        Raises:
            TransportFailed: when the last line is only the beginning of a document.
            ProtocolViolated: when it is whole, but not an object.
        """
        rest = b"".join(self._pieces)
        self._pieces.clear()
        if not rest.strip():
            return []
        try:
            json.loads(rest)
        except ValueError as error:
            raise TransportFailed("the answer was cut in the middle of a line") from error
        return [_document(rest)]

    def _keep(self, piece: bytes) -> None:
        if not piece:
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._limit:
            raise ProtocolViolated(f"a line is longer than {self._limit} bytes", sample=_shown(self._pieces[0]))


def _document(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode())
    except ValueError as error:
        raise ProtocolViolated("a line is not JSON", sample=_shown(line)) from error
    if not isinstance(value, dict):
        raise ProtocolViolated("a line is not a JSON object", sample=_shown(line))
    return value


def _shown(line: bytes) -> str:
    return line[:_SAMPLE].decode("utf-8", "replace")
