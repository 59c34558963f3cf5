"""Tolerant access to JSON that somebody else wrote: a field of the wrong type counts as absent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

__all__ = ["Wire", "json_text", "list_of_mappings", "mapping", "number", "text", "text_of_content"]

Wire: TypeAlias = dict[str, Any]
"""A JSON object on its way to or from a server."""

_NOTHING: Mapping[str, Any] = {}


def mapping(source: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under ``key``; an empty one if there is none."""
    value = source.get(key)
    return value if isinstance(value, dict) else _NOTHING


def list_of_mappings(source: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """The objects in the list under ``key``; whatever is no object is left out."""
    value = source.get(key)
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def text(source: Mapping[str, Any], *keys: str) -> str | None:
    """The first non-empty string under one of ``keys``."""
    for key in keys:
        value = source.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def number(source: Mapping[str, Any], *keys: str) -> int | None:
    """The first whole number under one of ``keys``, also if written as a string (protobuf's JSON does)."""
    for key in keys:
        value = source.get(key)
        if value is None:
            continue
        if type(value) is int:
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
    return None


def text_of_content(value: object) -> str:
    """The text of a ``content`` field: a string, or a list of parts of which the text ones count."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(
            part.get("text") or "" for part in value if isinstance(part, dict) and part.get("type") == "text"
        )
    return ""


def json_text(value: object) -> str:
    """JSON text as it is, anything else written as JSON: some servers send arguments as an object."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
