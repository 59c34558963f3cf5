"""The hooks of loaded plugins, through pluggy: registering as one step, and asking one plugin at a time."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs
import pluggy

from ._discovery import Kind
from .api import AuthSpec, DoctorContext, Finding, ObserverSpec, ProviderSpec, Spec, StrategySpec
from .hookspecs import PROJECT, HookSpecs

__all__ = ["Hook", "LoadedPlugins", "Offers"]

Offers: TypeAlias = Mapping[tuple[Kind, str], Spec[Any]]

_HOOKS: Mapping[Kind, tuple[str, type[Spec[Any]]]] = {
    "providers": ("mlo_providers", ProviderSpec),
    "strategies": ("mlo_strategies", StrategySpec),
    "auth": ("mlo_auth_schemes", AuthSpec),
    "observers": ("mlo_observers", ObserverSpec),
}


@attrs.frozen(kw_only=True)
class Hook:
    """A hook as a plugin's author sees it. ``implementers`` are modules, or names of registered plugins."""

    signature: str
    about: str
    implementers: tuple[str, ...]


class LoadedPlugins:
    """The plugins that have been loaded, by name."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(HookSpecs)

    def enter(self, name: str, plugin: object) -> Offers:
        """Register a plugin and return the specs that it offers. Leaves nothing behind when that raises.

        Raises:
            Exception: whatever the plugin's hooks raise, and what pluggy says of wrong ones.
        """
        self._manager.register(plugin, name=name)
        entered = False
        try:
            self._manager.check_pending()
            offers = self._ask(plugin)
            entered = True
        finally:
            if not entered:
                self._manager.unregister(plugin)
        return offers

    def leave(self, name: str) -> None:
        """Forget a plugin."""
        self._manager.unregister(name=name)

    def findings(self, name: str, context: DoctorContext) -> list[Finding]:
        """What the plugin's own check finds. Raises what the check raises."""
        plugin = self._manager.get_plugin(name)
        answers = self._manager.subset_hook_caller("mlo_doctor", self._all_but(plugin))(context=context)
        return [_finding(item) for answer in answers for item in answer]

    def hooks(self) -> list[Hook]:
        """All hooks, in the order of the source."""
        return [self._hook(name) for name in vars(HookSpecs) if name.startswith("mlo_")]

    def _ask(self, plugin: object) -> Offers:
        others = self._all_but(plugin)
        offers: dict[tuple[Kind, str], Spec[Any]] = {}
        for kind, (hook, spec_type) in _HOOKS.items():
            for answer in self._manager.subset_hook_caller(hook, others)():
                for spec in answer:
                    _check_spec(hook, spec, spec_type)
                    if (kind, spec.name) in offers:
                        raise ValueError(f"{hook} offers {spec.name!r} twice")
                    offers[kind, spec.name] = spec
        return offers

    def _all_but(self, plugin: object) -> list[object]:
        return [other for other in self._manager.get_plugins() if other is not plugin]

    def _hook(self, name: str) -> Hook:
        spec = getattr(HookSpecs, name)
        signature = inspect.signature(spec)
        parameters = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
        implementers = getattr(self._manager.hook, name).get_hookimpls()
        return Hook(
            signature=f"{name}{signature.replace(parameters=parameters)}".replace("'", ""),
            about=inspect.getdoc(spec) or "",
            implementers=tuple(sorted(each.plugin_name for each in implementers)),
        )


def _check_spec(hook: str, spec: object, spec_type: type[Spec[Any]]) -> None:
    if not isinstance(spec, spec_type):
        raise TypeError(f"{hook} must give {spec_type.__name__} values, not {type(spec).__name__}")
    if not attrs.has(spec.config):
        raise TypeError(f"the config of {spec.name!r} must be an attrs class, not {spec.config!r}")


def _finding(item: object) -> Finding:
    if not isinstance(item, Finding):
        raise TypeError(f"mlo_doctor must give Finding values, not {type(item).__name__}")
    return item
