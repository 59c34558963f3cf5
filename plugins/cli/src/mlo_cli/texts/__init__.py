"""The texts that people read, in their language: ``MLO_LANG`` or else what the locale says; English if in doubt."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Literal

__all__ = ["Language", "catalogue", "language", "text"]

Language = Literal["en", "ru"]
_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")  # the order that POSIX prescribes


def language(environ: Mapping[str, str] | None = None) -> Language:
    """The reader's language, from the environment."""
    environ = os.environ if environ is None else environ
    wanted = next((environ[name] for name in ("MLO_LANG", *_LOCALE) if environ.get(name)), "")
    return "ru" if wanted.lower().startswith("ru") else "en"


def catalogue(code: Language) -> Mapping[str, str]:
    """All texts in one language, by key."""
    messages: Mapping[str, str] = import_module(f"{__name__}.{code}").MESSAGES
    return messages


def text(key: str, /, **values: object) -> str:
    """The text called ``key``, its ``{names}`` filled in.

    Raises:
        KeyError: when there is no such text, or a name has no value.
    """
    return catalogue(language())[key].format(**values)
