"""The hooks of the kernel. A plugin is a module with functions of these names, marked :data:`hookimpl`.

Hooks register factories. Nothing asynchronous and nothing that happens per request goes through them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from .api import AuthSpec, DoctorContext, Finding, ObserverSpec, ProviderSpec, StrategySpec

__all__ = ["PROJECT", "HookSpecs", "hookimpl", "hookspec"]

PROJECT = "mlo"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class HookSpecs:
    """The signatures that the hooks of a plugin must have."""

    @hookspec
    def mlo_providers(self) -> Iterable[ProviderSpec[Any]]:
        """Providers on offer: each id also stands as an entry point in the group ``mlo.v1.providers``."""
        raise NotImplementedError

    @hookspec
    def mlo_strategies(self) -> Iterable[StrategySpec[Any]]:
        """Routing strategies on offer: group ``mlo.v1.strategies``."""
        raise NotImplementedError

    @hookspec
    def mlo_auth_schemes(self) -> Iterable[AuthSpec[Any]]:
        """Auth schemes on offer: group ``mlo.v1.auth``."""
        raise NotImplementedError

    @hookspec
    def mlo_observers(self) -> Iterable[ObserverSpec[Any]]:
        """Observers on offer: group ``mlo.v1.observers``."""
        raise NotImplementedError

    @hookspec
    def mlo_doctor(self, context: DoctorContext) -> Iterable[Finding]:
        """Offline checks for ``mlo plugins doctor``: files there, keys plausible, settings safe. No network."""
        raise NotImplementedError
