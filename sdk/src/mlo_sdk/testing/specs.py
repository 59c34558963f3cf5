"""What holds for the specs of every kind of plugin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, TypeVar

import attrs

from mlo.api import AuthSpec, ObserverSpec, ProviderSpec, Spec, StrategySpec
from mlo.errors import ConfigError

from .demands import ContractBroken, demand, fail
from .surroundings import build

__all__ = ["check_entry_point", "check_spec", "check_table", "offered"]

S = TypeVar("S", bound=Spec[Any])

_HOOKS: dict[type[Spec[Any]], tuple[str, str]] = {
    ProviderSpec: ("mlo.v1.providers", "mlo_providers"),
    StrategySpec: ("mlo.v1.strategies", "mlo_strategies"),
    AuthSpec: ("mlo.v1.auth", "mlo_auth_schemes"),
    ObserverSpec: ("mlo.v1.observers", "mlo_observers"),
}
_ID = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")


def check_spec(spec: object, kind: type[Spec[Any]]) -> None:
    """A spec of ``kind`` with an id, an attrs configuration class and a summary.

    Raises:
        ContractBroken: when something is amiss.
    """
    demand(isinstance(spec, kind), f"`spec` must be a {kind.__name__}, not {type(spec).__name__}")
    if isinstance(spec, Spec):
        demand(_ID.fullmatch(spec.name), f"the id {spec.name!r} must be lower-case words joined by - or .")
        demand(attrs.has(spec.config), f"{spec.config.__name__} must be an attrs class")
        demand(spec.summary, "give the spec a summary: `mlo plugins show` prints it")


def check_table(spec: Spec[Any], table: Mapping[str, Any]) -> None:
    """``table`` becomes the spec's configuration class; an unknown key is an error that names it.

    Raises:
        ContractBroken: when something is amiss.
    """
    demand(isinstance(build(spec, table), spec.config), "the table did not become the class")
    try:
        build(spec, {**table, "no_such_option": 1})
    except ConfigError as error:
        demand("no_such_option" in str(error), f"the error does not name the unknown key: {error}")
    else:
        fail("a table with an unknown key was accepted")


def check_entry_point(spec: Spec[Any], group: str, hook: str) -> None:
    """An installed entry point ``spec.name`` in ``group`` leads to a module whose ``hook`` yields the spec.

    Raises:
        ContractBroken: when there is none, or it leads elsewhere.
    """
    found = entry_points(group=group, name=spec.name)
    demand(found, f"no entry point {spec.name!r} in the group {group} is installed: see [project.entry-points]")
    offers = [offer for entry in found for offer in getattr(entry.load(), hook)()]
    demand(
        any(offer.name == spec.name and offer.config is spec.config for offer in offers),
        f"the hook {hook}() behind the entry point does not yield {spec.name!r}",
    )


def offered(kind: type[S], plugin_id: str) -> S:
    """The spec of an installed plugin, for contracts that stand outside its distribution.

    Raises:
        ContractBroken: no entry point offers it.
    """
    group, hook = _HOOKS[kind]
    for entry in entry_points(group=group, name=plugin_id):
        for offer in getattr(entry.load(), hook)():
            if isinstance(offer, kind) and offer.name == plugin_id:
                return offer
    raise ContractBroken(f"no installed plugin yields {plugin_id!r} through the group {group} and the hook {hook}()")
