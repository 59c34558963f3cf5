"""What names, titles and patterns may look like."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import invalid

__all__ = [
    "MOST_PATTERNS",
    "MOST_TITLE",
    "NAME_PATTERN",
    "TITLE_PATTERN",
    "checked_models",
    "checked_name",
    "checked_scopes",
    "checked_title",
]

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""Names of organizations, projects and plans: they stand in URLs, in scopes of limits and in reports."""
TITLE_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
"""What people write: anything but control characters and line ends."""
MOST_TITLE = 200
MOST_PATTERNS = 100

_NAME = re.compile(NAME_PATTERN[:-1])
_TITLE = re.compile(TITLE_PATTERN[:-1])


def checked_name(param: str, name: str) -> str:
    """``name``, if it may be one.

    Raises:
        ActRefused: ``invalid``.
    """
    if not _NAME.fullmatch(name):
        raise invalid(param, "consists of 1 to 63 small letters, digits and hyphens, with no hyphen at either end")
    return name


def checked_title(param: str, title: str) -> str:
    """``title``, if it may be one: up to 200 characters on one line.

    Raises:
        ActRefused: ``invalid``.
    """
    if len(title) > MOST_TITLE or not _TITLE.fullmatch(title):
        raise invalid(param, f"has up to {MOST_TITLE} characters, on one line")
    return title


def checked_models(models: Sequence[str] | None) -> tuple[str, ...] | None:
    """Patterns of model names, each once, in their order; ``None`` allows all.

    Raises:
        ActRefused: ``invalid``.
    """
    if models is None:
        return None
    if not 0 < len(models) <= MOST_PATTERNS:
        raise invalid("models", f"has 1 to {MOST_PATTERNS} patterns; leave it out to allow all models")
    for pattern in models:
        if not 0 < len(pattern) <= MOST_TITLE or not _TITLE.fullmatch(pattern):
            raise invalid("models", f"has patterns of 1 to {MOST_TITLE} characters, each on one line")
    return tuple(dict.fromkeys(models))


def checked_scopes(scopes: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Scopes, each once, sorted.

    Raises:
        ActRefused: ``invalid``.
    """
    strange = sorted(set(scopes) - set(known))
    if strange or not scopes:
        raise invalid("scopes", f"takes one or more of {', '.join(known)}")
    return tuple(sorted(set(scopes)))
