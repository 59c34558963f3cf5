"""The JSON of GigaChat as far as it is read here. Every field may be missing, and there are more of them.

Recordings disagree with the specification in places; what is read tolerates both (``arguments`` as object or text,
``object`` of any value, usage in the last chunk, in every one, or nowhere).
"""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = ["Wire", "as_int", "as_mapping", "as_objects", "as_text", "first"]

Wire: TypeAlias = dict[str, Any]


def as_mapping(value: object) -> Wire:
    """``value`` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> list[Wire]:
    """The objects in ``value``, if it is a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_text(value: object) -> str:
    """``value`` if it is text, else none."""
    return value if isinstance(value, str) else ""


def as_int(value: object) -> int | None:
    """A count; ``None`` for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def first(value: object) -> Wire | None:
    """The first element of a list, if it is an object."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        found: Wire = value[0]
        return found
    return None
