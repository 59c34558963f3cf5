"""The parts of a message: text, pictures, files."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from mlo.messages import FileRef, Image, Part, Text

from .fields import Json, choice, invalid, items, missing, object_of, string, unsupported

__all__ = ["content_of", "image_of", "part_of"]

_DATA_URL = re.compile(r"data:(?P<type>[-\w.+]+/[-\w.+]+)(?:;[-\w.+]+=[-\w.+]+)*;base64,", re.ASCII)
_DETAILS = frozenset({"auto", "low", "high"})


def content_of(message: Mapping[str, Any], where: str, name: str = "content") -> str | tuple[Part, ...]:
    """A message's content: text as it is, or its parts; empty for ``null``."""
    content = message.get(name)
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    parts = [part_of(part, place) for place, part in items(message, name, f"{where}.")]
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return tuple(parts)


def part_of(part: Json, where: str) -> Part:
    """One part, of a chat completion's message or of a response's input."""
    kind = string(part, "type", f"{where}.")
    if kind in {"text", "input_text", "output_text", "refusal"}:
        return Text(_required(part, "refusal" if kind == "refusal" else "text", where))
    if kind == "image_url":
        picture = object_of(part, "image_url", f"{where}.")
        if picture is None:
            raise missing(f"{where}.image_url")
        return image_of(picture, "url", f"{where}.image_url")
    if kind == "input_image":
        if part.get("file_id") is not None:
            return FileRef(id=_required(part, "file_id", where))
        return image_of(part, "image_url", where)
    if kind in {"file", "input_file"}:
        file = (object_of(part, "file", f"{where}.") or {}) if kind == "file" else part
        if file.get("file_id") is None:
            raise unsupported(where, "Only files that were uploaded before can be used: give a 'file_id'.")
        return FileRef(id=_required(file, "file_id", where))
    if kind is None:
        raise missing(f"{where}.type")
    raise unsupported(f"{where}.type", f"Content of type '{kind[:40]}' is not supported.")


def image_of(picture: Mapping[str, Any], name: str, where: str) -> Image:
    """A picture given by its address, or in the address itself."""
    url = _required(picture, name, where)
    wanted = choice(picture, "detail", _DETAILS, f"{where}.") or "auto"
    detail = cast("Literal['auto', 'low', 'high']", wanted)
    if not url.startswith("data:"):
        if not url.startswith(("https://", "http://")):
            raise invalid(f"{where}.{name}", "expected an http(s) or a data URL.")
        return Image(url=url, detail=detail)
    found = _DATA_URL.match(url)
    if found is None:
        raise invalid(f"{where}.{name}", "a data URL looks like data:image/png;base64,....")
    try:
        data = base64.b64decode(url[found.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"{where}.{name}", "its data is not base64.") from error
    if not data:
        raise invalid(f"{where}.{name}", "the picture is empty.")
    return Image(data=data, media_type=found["type"], detail=detail)


def _required(body: Mapping[str, Any], name: str, where: str) -> str:
    value = string(body, name, f"{where}.")
    if value is None:
        raise missing(f"{where}.{name}")
    return value
