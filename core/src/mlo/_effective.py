"""A configuration as it takes effect under its profile, fit to be shown: secrets masked, defaults written out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from ._registry import PluginRegistry
from ._secrecy import masked
from .errors import PluginError
from .models import Price
from .settings import ComponentSettings, PluginPolicy, ProviderSettings, RouteSettings, SectionSettings, Settings

__all__ = ["as_toml", "effective"]

_NANO = Decimal(10**9)


def effective(settings: Settings, registry: PluginRegistry) -> dict[str, Any]:
    """The settings in the form of the file. Loads the plugins that they use, to know what is secret."""
    return _without_nothing(
        {
            "mlo": {
                "profile": settings.profile,
                "capture": settings.capture,
                "breaker": {
                    "failures": settings.breaker.failures,
                    "open_for": settings.breaker.open_for,
                    "max_open_for": settings.breaker.max_open_for,
                },
                "retry": {"ratio": settings.retry_ratio, "reserve": settings.retry_reserve},
            },
            "plugins": _policy(settings.plugins),
            "providers": {name: _provider(each, registry) for name, each in settings.providers.items()},
            "routes": {name: _route(each, registry) for name, each in settings.routes.items()},
            "observers": {name: _component("observers", each, registry) for name, each in settings.observers.items()},
            **{name: _section(name, each, registry) for name, each in settings.sections.items()},
        }
    )


def _without_nothing(table: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has no null: what is not set is not there."""
    return {
        key: _without_nothing(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value not in (None, {}, [])
    }


def _policy(policy: PluginPolicy) -> dict[str, Any]:
    return {
        "allow": None if policy.allow is None else list(policy.allow),
        "deny": list(policy.deny),
        "require": dict(policy.require),
        "pin": dict(policy.pin),
        "prefer": dict(policy.prefer),
        "strict": policy.strict,
    }


def _component(kind: Any, settings: ComponentSettings, registry: PluginRegistry) -> dict[str, Any]:
    try:
        config_class = registry.spec(kind, settings.use).config
    except PluginError:
        config_class = None
    return {"use": settings.use, **masked(config_class, settings.options)}


def _section(name: str, settings: SectionSettings, registry: PluginRegistry) -> dict[str, Any]:
    try:
        config_class = registry.section(name)
    except PluginError:
        config_class = None
    return masked(config_class, settings.options)


def _provider(settings: ProviderSettings, registry: PluginRegistry) -> dict[str, Any]:
    residency = settings.residency
    return {
        **_component("providers", settings, registry),
        "auth": None if settings.auth is None else _component("auth", settings.auth, registry),
        "concurrency": settings.concurrency,
        "capabilities": None if settings.capabilities is None else sorted(map(str, settings.capabilities)),
        "residency": None
        if residency is None
        else {
            "region": residency.region,
            "on_prem": residency.on_prem,
            "stores_prompts": residency.stores_prompts,
        },
        "price": None if settings.price is None else _price(settings.price),
        "labels": dict(settings.labels),
    }


def _price(price: Price) -> dict[str, Any]:
    def units(nano: int | None) -> str | None:
        return None if nano is None else f"{(Decimal(nano) / _NANO).normalize():f}"

    return {
        "prompt": units(price.prompt),
        "completion": units(price.completion),
        "cached": units(price.cached),
        "tool": units(price.tool),
        "reasoning": units(price.reasoning),
        "request": units(price.request or None),
        "currency": price.currency,
    }


def _route(settings: RouteSettings, registry: PluginRegistry) -> dict[str, Any]:
    retry = settings.retry
    return {
        "targets": list(settings.targets),
        "strategy": _component("strategies", settings.strategy, registry),
        "deadline": settings.deadline,
        "attempt_timeout": settings.attempt_timeout,
        "retry": {"rounds": retry.rounds, "base": retry.base, "cap": retry.cap},
        "failover_on": list(settings.failover_on),
    }


def as_toml(document: Mapping[str, Any]) -> str:
    """Tables of tables as headed tables, what is deeper inline."""
    parts = []
    for section, table in document.items():
        named = section in {"providers", "routes", "observers"}
        tables = (
            {f"{section}.{_key(name)}": inner for name, inner in table.items()} if named else {_key(section): table}
        )
        for head, inner in tables.items():
            lines = [f"{_key(key)} = {_value(value)}" for key, value in inner.items()]
            parts.append("\n".join([f"[{head}]", *lines]))
    return "\n\n".join(parts) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(key))} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False)
