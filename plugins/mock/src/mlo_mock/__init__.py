"""Deterministic provider without network, for trying out and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Latency as Latency
    from .config import MockConfig as MockConfig
    from .provider import MockProvider as MockProvider

_HOMES = {"Latency": "config", "MockConfig": "config", "MockProvider": "provider"}

__all__ = ["Latency", "MockConfig", "MockProvider"]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - as in mlo: a name is imported when it is first used

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
