"""From the document to the settings of one profile: merging, with the place where each table stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from attrs import evolve

from ._explain import near
from ._faults import Fault, Faults, dotted
from ._tables import ComponentTable, Document, PluginsTable, PriceTable, ProfileTable, ProviderTable, RouteTable, Word
from .models import Price
from .settings import (
    BreakerSettings,
    ComponentSettings,
    PluginPolicy,
    ProviderSettings,
    RetrySettings,
    RouteSettings,
    Settings,
)

__all__ = ["lineage", "settings_of"]

Layer: TypeAlias = tuple[tuple[str, ...], Document | ProfileTable]
Section: TypeAlias = Literal["providers", "routes", "observers"]


def settings_of(document: Document, profile: str | None) -> Settings:
    """The settings under that profile, base tables first, then each profile from the eldest.

    Raises:
        Faults: the profile, or one that it extends, does not exist, or they extend each other in a circle.
    """
    profiles: Mapping[str, ProfileTable] = {str(name): table for name, table in document.profiles.items()}
    chain = lineage(profiles, profile) if profile else ()
    layers: list[Layer] = [((), document), *((("profiles", name), profiles[name]) for name in reversed(chain))]
    breaker, retry = document.mlo.breaker, document.mlo.retry
    return Settings(
        profile=profile,
        providers={name: _provider(table, path) for name, (table, path) in _merged(layers, "providers").items()},
        routes={name: _route(table, path) for name, (table, path) in _merged(layers, "routes").items()},
        observers={name: _component(table, path) for name, (table, path) in _merged(layers, "observers").items()},
        plugins=_policy([layer.plugins for _, layer in layers], profile),
        breaker=BreakerSettings(
            failures=breaker.failures, open_for=breaker.open_for, max_open_for=breaker.max_open_for
        ),
        retry_ratio=retry.ratio,
        retry_reserve=retry.reserve,
        capture=document.mlo.capture,
    )


def lineage(profiles: Mapping[str, ProfileTable], profile: str) -> tuple[str, ...]:
    """The profile and those that it extends, from the youngest to the eldest.

    Raises:
        Faults: one does not exist, or they form a circle.
    """
    chain: list[str] = []
    path: tuple[str, ...] = ("profile",)
    name: str | None = profile
    while name is not None:
        if name in chain:
            circle = " -> ".join([*chain[chain.index(name) :], name])
            raise Faults(Fault(path, f"profiles extend each other in a circle: {circle}"))
        if name not in profiles:
            raise Faults(Fault(path, f"unknown profile {name!r}", near(name, profiles)))
        chain.append(name)
        path = ("profiles", name, "extends")
        name = profiles[name].extends
    return tuple(chain)


def _merged(layers: list[Layer], section: Section) -> dict[str, tuple[Any, str]]:
    """Tables by name, the youngest layer's in place of elder ones, each with its path."""
    return {
        name: (table, dotted((*prefix, section, name)))
        for prefix, layer in layers
        for name, table in getattr(layer, section).items()
    }


def _policy(tables: list[PluginsTable], profile: str | None) -> PluginPolicy:
    """An allow-list replaces the elder one, denials add up."""
    policy = PluginPolicy(path=dotted(("profiles", profile, "plugins")) if profile else "plugins")
    for table in tables:
        policy = evolve(
            policy,
            allow=policy.allow if table.allow is None else table.allow,
            deny=tuple(dict.fromkeys((*policy.deny, *table.deny))),
            require={**policy.require, **_plain(table.require)},
            pin={**policy.pin, **_plain(table.pin)},
            prefer={**policy.prefer, **_plain(table.prefer)},
            strict=policy.strict if table.strict is None else table.strict,
            lock=policy.lock if table.lock is None else str(table.lock),
        )
    return policy


def _plain(table: Mapping[Word, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in table.items()}


def _component(table: ComponentTable | str, path: str) -> ComponentSettings:
    if isinstance(table, str):
        return ComponentSettings(use=table, path=path)
    return ComponentSettings(use=table.use, options=table.options, path=path)


def _provider(table: ProviderTable, path: str) -> ProviderSettings:
    return ProviderSettings(
        use=table.use,
        options=table.options,
        path=path,
        auth=None if table.auth is None else _component(table.auth, f"{path}.auth"),
        concurrency=table.concurrency,
        capabilities=table.capabilities,
        residency=table.residency,
        price=None if table.price is None else _price(table.price),
        labels=table.labels,
    )


def _price(table: PriceTable) -> Price:
    return Price(
        prompt=table.prompt,
        completion=table.completion,
        cached=table.cached,
        tool=table.tool,
        reasoning=table.reasoning,
        request=table.request,
        currency=table.currency,
    )


def _route(table: RouteTable, path: str) -> RouteSettings:
    return RouteSettings(
        targets=table.targets,
        strategy=_component(table.strategy, f"{path}.strategy"),
        deadline=table.deadline,
        attempt_timeout=table.attempt_timeout,
        retry=RetrySettings(rounds=table.retry.rounds, base=table.retry.base, cap=table.retry.cap),
        failover_on=table.failover_on,
        path=path,
    )
