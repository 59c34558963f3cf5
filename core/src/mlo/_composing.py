"""Providers and routes that a program adds to a router's settings, with the checks that a file gets when it is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from attrs import evolve

from ._asking import component_of
from ._wiring import unknown
from .api import Strategy
from .errors import ConfigError
from .models import Capability
from .settings import ComponentSettings, ProviderSettings, RouteSettings, Settings

__all__ = ["name_of", "new_provider", "new_route", "with_default_route"]


def new_provider(
    settings: Settings,
    name: str,
    *,
    use: str | None,
    options: Mapping[str, Any],
    auth: Mapping[str, Any] | None,
    concurrency: int | None,
    capabilities: Iterable[Capability] | None,
    labels: Mapping[str, str] | None,
) -> ProviderSettings:
    """One more provider instance.

    Raises:
        ConfigError: when the name is taken or wrong, or the number is negative.
    """
    path = f"providers.{name}"
    if name in settings.providers:
        raise ConfigError(path, "there is a provider of that name already", hint="choose another name")
    if not name or ":" in name:
        raise ConfigError(path, "a provider's name must not be empty nor contain a colon")
    if name == "route":
        raise ConfigError(path, "this name is reserved for targets such as route:NAME", hint="choose another name")
    if concurrency is not None and concurrency < 0:
        raise ConfigError(f"{path}.concurrency", "the number is negative", hint="0 means no limit")
    return ProviderSettings(
        use=use or name,
        options=options,
        path=path,
        auth=None if auth is None else component_of(auth, f"{path}.auth"),
        concurrency=concurrency,
        capabilities=None if capabilities is None else frozenset(capabilities),
        labels=labels or {},
    )


def new_route(
    settings: Settings, name: str, targets: Iterable[str], strategy: ComponentSettings, limits: Mapping[str, Any]
) -> RouteSettings:
    """One more route; ``default`` may be a target whether it is configured or not.

    Raises:
        ConfigError: when the name is taken, or a target is unknown, twice there, or has an empty model.
    """
    path = f"routes.{name}"
    if name in settings.routes:
        raise ConfigError(path, "there is a route of that name already", hint="choose another name")
    route = RouteSettings(targets=targets, strategy=strategy, path=path, **limits)
    for target in route.targets:
        _check_target(target, path, settings.providers.keys(), {*settings.routes, "default"})
    if len(set(route.targets)) < len(route.targets):
        raise ConfigError(f"{path}.targets", "a target is listed twice", hint="name each target once")
    return route


def with_default_route(settings: Settings, strategy: ComponentSettings) -> Settings:
    """The settings with a route ``default``: their own, or one over all providers."""
    if "default" in settings.routes:
        return settings
    everything = RouteSettings(targets=tuple(settings.providers), strategy=strategy, path="routes.default")
    return evolve(settings, routes={**settings.routes, "default": everything})


def name_of(strategy: Strategy, known: dict[str, Strategy]) -> str:
    """The name of a strategy object, which becomes ``known`` by it. Records tell it: the same in every process."""
    for name, other in known.items():
        if other is strategy:
            return name
    name = f"{type(strategy).__name__}@{len(known) + 1}"
    known[name] = strategy
    return name


def _check_target(target: str, path: str, providers: Collection[str], routes: Collection[str]) -> None:
    if target.startswith("route:"):
        known, name, what = routes, target.removeprefix("route:"), "route"
    else:
        known, name, what = providers, target.partition(":")[0], "provider"
    if name not in known:
        raise unknown(f"{path}.targets", what, name, known)
    if target.endswith(":"):
        reason = f"the target {target!r} names no model after the colon"
        raise ConfigError(f"{path}.targets", reason, hint="INSTANCE or INSTANCE:MODEL")
