"""Provider for any server that speaks the OpenAI chat protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import DialectOptions as DialectOptions
    from .config import OpenAICompatConfig as OpenAICompatConfig

__all__ = ["DialectOptions", "OpenAICompatConfig"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import config  # noqa: PLC0415 - as in mlo: a name is imported when it is first used

    return getattr(config, name)
