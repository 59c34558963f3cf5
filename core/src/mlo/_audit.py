"""``mlo config check``: every component of a configuration against its plugin, offline, all mistakes at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from ._config import build_options
from ._faults import dotted
from ._registry import PluginRegistry
from ._secrecy import literal_secrets
from .api import ConfiguredInstance, Finding
from .errors import ConfigError, PluginBlocked, PluginError, PluginNotFound
from .settings import ComponentSettings, SectionSettings, Settings

__all__ = ["Audit", "audit", "components"]

ComponentKind: TypeAlias = Literal["providers", "strategies", "auth", "observers"]


@frozen(kw_only=True)
class Audit:
    """What was found. ``instances`` are the components whose options fit."""

    instances: tuple[ConfiguredInstance, ...] = ()
    problems: tuple[ConfigError, ...] = ()
    warnings: tuple[Finding, ...] = ()


@frozen
class _Auditor:
    registry: PluginRegistry
    environ: Mapping[str, str]
    source: str | None
    instances: list[ConfiguredInstance] = field(factory=list)
    problems: list[ConfigError] = field(factory=list)
    warnings: list[Finding] = field(factory=list)

    def check(self, kind: ComponentKind, component: ComponentSettings) -> None:
        """Find the plugin and build its options; note what goes wrong."""
        try:
            spec = self.registry.spec(kind, component.use)
        except PluginError as error:
            self.problems.append(_located(f"{component.path}.use", error, self.source))
            return
        self.warnings.extend(_literals(spec.config, component.options, component.path))
        try:
            config = build_options(
                spec.config, component.options, component.path, environ=self.environ, source=self.source
            )
        except ConfigError as error:
            self.problems.extend(error.problems or (error,))
            return
        if kind != "strategies":
            self.instances.append(ConfiguredInstance(path=component.path, kind=kind, use=component.use, config=config))

    def check_section(self, name: str, table: SectionSettings) -> None:
        """The same for the table of a command, which the policy may have switched off: then nobody will read it."""
        try:
            config_class = self.registry.section(name)
        except (PluginBlocked, PluginNotFound):
            return
        except PluginError as error:
            self.problems.append(_located(table.path, error, self.source))
            return
        self.warnings.extend(_literals(config_class or Any, table.options, table.path))
        if config_class is None:
            return
        try:
            build_options(config_class, table.options, table.path, environ=self.environ, source=self.source)
        except ConfigError as error:
            self.problems.extend(error.problems or (error,))


def audit(settings: Settings, registry: PluginRegistry, *, environ: Mapping[str, str] | None = None) -> Audit:
    """Load what the settings use and build all options; nothing is opened."""
    auditor = _Auditor(registry, os.environ if environ is None else environ, settings.source)
    for kind, component in components(settings):
        auditor.check(kind, component)
    for name, table in settings.sections.items():
        auditor.check_section(name, table)
    return Audit(instances=tuple(auditor.instances), problems=tuple(auditor.problems), warnings=tuple(auditor.warnings))


def components(settings: Settings) -> Iterator[tuple[ComponentKind, ComponentSettings]]:
    """Every use of a plugin in the settings, in the order of the file."""
    for provider in settings.providers.values():
        yield "providers", provider
        if provider.auth is not None:
            yield "auth", provider.auth
    for route in settings.routes.values():
        yield "strategies", route.strategy
    for observer in settings.observers.values():
        yield "observers", observer


def _located(path: str, error: PluginError, source: str | None) -> ConfigError:
    problem = ConfigError(path, str(error), source=source)
    problem.__cause__ = error
    return problem


def _literals(config_class: Any, options: Mapping[str, Any], where: str) -> Iterator[Finding]:
    for path in literal_secrets(config_class, options):
        yield Finding(
            level="warning",
            message="a secret stands in the file itself",
            where=f"{where}.{dotted(path)}",
            fix='put it elsewhere and refer to it: "env:NAME" or "file:PATH"',
        )
