"""The file store of the emulator, and the reading of uploads."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Mapping, Sequence
from time import time
from typing import Any

from attrs import frozen

from .failures import ApiFailure

__all__ = ["Files", "Part", "Stored", "multipart"]

_MEGABYTE = 1_000_000
_LIMITS = {"image": 15 * _MEGABYTE, "audio": 35 * _MEGABYTE, "text": 40 * _MEGABYTE}
_TEXTS = frozenset({"application/pdf", "application/msword", "application/json", "application/epub+zip"})
_PARAMETER = re.compile(r'(\w+)\*?="?([^";]*)"?')
PICTURE = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "08" * 64 + "ffc0000b080001000101011100"
    "ffc40014000100000000000000000000000000000009ffc40014100100000000000000000000000000000000"
    "ffda0008010100003f0054ffd9"
)
"""A JPEG of one pixel: what every generated picture is."""


@frozen(kw_only=True)
class Stored:
    """A file. ``owner`` is the ``X-Client-ID`` under which it was made, and may be read."""

    id: str
    name: str
    media_type: str
    content: bytes
    created_at: int
    owner: str | None = None

    def wire(self) -> Mapping[str, Any]:
        """The object of ``GET /files/{id}``."""
        kind = _kind(self.media_type)
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.name,
            "purpose": "general",
            "access_policy": "private",
            "modalities": [kind] if kind else None,
        }


@frozen(kw_only=True)
class Part:
    """One part of a ``multipart/form-data`` body."""

    name: str
    filename: str | None
    media_type: str
    content: bytes


class Files:
    """Files by id. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stored: dict[str, Stored] = {}

    def add(self, name: str, media_type: str, content: bytes, owner: str | None) -> Stored:
        """Keep a file.

        Raises:
            ApiFailure: 413 above the limit of its kind, 400 for a type that is not taken.
        """
        kind = _kind(media_type)
        if kind is None:
            raise ApiFailure(400, f"Unsupported file type: {media_type}")
        if len(content) > _LIMITS[kind]:
            raise ApiFailure(413)
        stored = Stored(
            id=str(uuid.uuid4()),
            name=name,
            media_type=media_type,
            content=content,
            created_at=int(time()),
            owner=owner,
        )
        with self._lock:
            self._stored[stored.id] = stored
        return stored

    def get(self, file_id: str, owner: str | None) -> Stored:
        """A file.

        Raises:
            ApiFailure: 404, also for the file of another ``X-Client-ID``.
        """
        with self._lock:
            stored = self._stored.get(file_id)
        if stored is None or stored.owner not in {None, owner}:
            raise ApiFailure(404, "No such file")
        return stored

    def all(self, owner: str | None) -> Sequence[Stored]:
        """The files that ``owner`` may read."""
        with self._lock:
            return [stored for stored in self._stored.values() if stored.owner in {None, owner}]

    def delete(self, file_id: str, owner: str | None) -> Stored:
        """Forget a file.

        Raises:
            ApiFailure: 404.
        """
        stored = self.get(file_id, owner)
        with self._lock:
            self._stored.pop(file_id, None)
        return stored


def multipart(content_type: str, body: bytes) -> Mapping[str, Part]:
    """The parts of a form, by name.

    Raises:
        ApiFailure: 400, when it is no such form.
    """
    kind, _, rest = content_type.partition(";")
    boundary = dict(_PARAMETER.findall(rest)).get("boundary")
    if kind.strip().lower() != "multipart/form-data" or not boundary:
        raise ApiFailure(400)
    parts: dict[str, Part] = {}
    for raw in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        if raw.startswith(b"--"):
            return parts
        part = _part(raw)
        parts[part.name] = part
    raise ApiFailure(400)


def _part(raw: bytes) -> Part:
    head, blank, content = raw.partition(b"\r\n\r\n")
    if not blank:
        raise ApiFailure(400)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode("utf-8", "replace").splitlines())
    }
    parameters = dict(_PARAMETER.findall(headers.get("content-disposition", "")))
    if "name" not in parameters:
        raise ApiFailure(400)
    return Part(
        name=parameters["name"],
        filename=parameters.get("filename"),
        media_type=headers.get("content-type", "text/plain").partition(";")[0].strip(),
        content=content,
    )


def _kind(media_type: str) -> str | None:
    family = media_type.partition("/")[0]
    if family in _LIMITS:
        return family
    office = media_type.startswith("application/vnd.openxmlformats-officedocument")
    return "text" if media_type in _TEXTS or office else None
