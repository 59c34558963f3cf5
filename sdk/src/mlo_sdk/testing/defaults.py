"""Contracts for plugins of which nobody has said how to open them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any

import attrs

from mlo.api import AuthSpec, ObserverSpec, ProviderSpec, Spec, StrategySpec

from .auth import AuthContract
from .command import CommandContract
from .observer import ObserverContract
from .provider import ProviderContract
from .specs import offered
from .strategy import StrategyContract

__all__ = ["contract_kinds", "default_contract"]

_CONTRACTS: Mapping[str, tuple[type, type[Spec[Any]] | None]] = {
    "providers": (ProviderContract, ProviderSpec),
    "strategies": (StrategyContract, StrategySpec),
    "auth": (AuthContract, AuthSpec),
    "observers": (ObserverContract, ObserverSpec),
    "commands": (CommandContract, None),
}
_WITHOUT_OPENING = ("test_the_spec_is_consistent", "test_an_entry_point_offers_the_spec")
_WITH_NO_OPTIONS = ("test_the_table_fits_the_configuration",)
_NO_SUITE = "no suite says how to open it (an entry point in the group mlo_conformance)"


def contract_kinds() -> Mapping[type, str]:
    """The contracts, each with the kind of plugins that it is for."""
    return {contract: kind for kind, (contract, _) in _CONTRACTS.items()}


def default_contract(kind: str, plugin_id: str, value: str) -> type:
    """A contract for an installed plugin, with no options.

    Commands, and strategies that need no options, are checked in full: that reaches neither network nor files. Of
    others the declaration is checked; ``not_run`` of the class names the rest.

    Raises:
        ContractBroken: no entry point offers it.
        Exception: what the import of the plugin raises.
    """
    contract, spec_type = _CONTRACTS[kind]
    if spec_type is None:
        loaded = EntryPoint(name=plugin_id, value=value, group="").load()
        return type("TestDefault", (contract,), {"name": plugin_id, "command": staticmethod(loaded)})
    spec = offered(spec_type, plugin_id)
    made = type("TestDefault", (contract,), {"spec": spec})
    needy = any(each.default is attrs.NOTHING for each in attrs.fields(spec.config) if each.init)
    if needy or kind != "strategies":
        _declaration_only(made, contract, _WITHOUT_OPENING if needy else _WITHOUT_OPENING + _WITH_NO_OPTIONS)
    return made


def _declaration_only(made: Any, contract: type, kept: tuple[str, ...]) -> None:
    """Take every other check out, so that it is not even collected, and write down which."""
    left_out = [name for name in vars(contract) if name.startswith("test_") and name not in kept]
    made.not_run = dict.fromkeys((name for name in left_out if name not in made.switched_off), _NO_SUITE)
    for name in left_out:
        setattr(made, name, None)
