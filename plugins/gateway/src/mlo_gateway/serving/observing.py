"""The observers that a gateway cannot do without, where the configuration does not name them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import attrs

from mlo.errors import ConfigError
from mlo.settings import ComponentSettings, ProviderSettings, Settings

__all__ = ["DEMO", "LEDGER", "METRICS", "named", "with_demo", "with_observers"]

LEDGER, METRICS, DEMO = "ledger", "prometheus", "mock"


def with_observers(settings: Settings, ledger: Mapping[str, Any]) -> Settings:
    """The settings with a ledger and metrics; ``ledger`` are the options of the former if it has to be added."""
    observers = dict(settings.observers)
    if named(settings, LEDGER) is None:
        observers[_free(LEDGER, observers)] = ComponentSettings(use=LEDGER, options=ledger, path="gateway.ledger")
    if named(settings, METRICS) is None:
        # no port of its own: the gateway shows them on its own one
        options = {"listen": False}
        observers[_free(METRICS, observers)] = ComponentSettings(use=METRICS, options=options, path="gateway.metrics")
    return attrs.evolve(settings, observers=observers)


def with_demo(settings: Settings) -> Settings:
    """The settings, or those of a demonstration where they know no provider.

    Raises:
        ConfigError: when there is nothing to demonstrate with.
    """
    if settings.providers:
        return settings
    if find_spec("mlo_mock") is None:
        hint = "add one to mlo.toml, or install mlo-mock for a demonstration"
        raise ConfigError("providers", "the configuration names no provider", hint=hint, source=settings.source)
    return attrs.evolve(settings, providers={DEMO: ProviderSettings(use=DEMO, path=f"providers.{DEMO}")})


def named(settings: Settings, plugin: str) -> str | None:
    """The name of the first observer of that plugin."""
    return next((name for name, observer in settings.observers.items() if observer.use == plugin), None)


def _free(name: str, taken: Mapping[str, object]) -> str:
    return name if name not in taken else _free(f"gateway-{name}", taken)
