"""What stands behind a router while it is open: the current snapshot, and the tasks in which components live."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ._breaker import BreakerState
from ._components import Component, ComponentHost
from ._config import build_options
from ._environment import ComponentEnvironment, RouteProvider
from ._instances import Instance, Resolved
from ._observe import Emitter
from ._registry import PluginRegistry
from ._wiring import Wiring
from .api import AuthScheme, Observer, Provider, Strategy
from .records import BreakerChanged, ConfigReloaded
from .settings import ComponentSettings, Settings

__all__ = ["Kernel"]


class Kernel:
    """Opens components, builds snapshots, replaces them. Belongs to one event loop."""

    def __init__(
        self,
        settings: Settings,
        registry: PluginRegistry,
        host: ComponentHost,
        tasks: TaskGroup,
        *,
        given: Mapping[str, Resolved],
        strategies: Mapping[str, Strategy],
    ) -> None:
        self._host = host
        self._tasks = tasks
        self._given = given
        self._strategies = strategies
        self._observers: list[tuple[ComponentSettings, Component[Observer]]] = []
        self._changing = anyio.Lock()
        self.wiring = self._wire(settings, registry, Emitter(), None)

    async def start(self) -> None:
        """Open the observers; everything else opens when it is used."""
        settings = self.wiring.settings
        emitter = await self._open_observers(settings, self.wiring.registry)
        self.wiring = self._wire(settings, self.wiring.registry, emitter, None)

    async def replace(self, settings: Settings, registry: PluginRegistry) -> None:
        """Let calls from here on use ``settings``; those under way end as they began. Returns when the last has.

        Raises:
            ConfigError: when an observer cannot open; then nothing has changed.
        """
        async with self._changing:
            old, old_observers = self.wiring, self._observers
            emitter = await self._open_observers(settings, registry)
            self.wiring = self._wire(settings, registry, emitter, old)
        self._tell(old, self.wiring)
        await self._retire(old)
        kept = [component for _, component in self._observers]
        left: list[Component[Any]] = [component for _, component in old_observers if component not in kept]
        await self._host.close(left)

    def extend(self, settings: Settings) -> None:
        """The same at once, for settings with the same observers and plugins as before."""
        old = self.wiring
        self.wiring = self._wire(settings, old.registry, old.emitter, old)
        self._tell(old, self.wiring)
        self._tasks.start_soon(self._retire, old)

    async def _retire(self, old: Wiring) -> None:
        await old.retire()
        await self._host.close(old.left_behind(self.wiring))

    def _wire(self, settings: Settings, registry: PluginRegistry, emitter: Emitter, old: Wiring | None) -> Wiring:
        return Wiring(
            settings,
            registry,
            given=dict(self._given),
            strategies=self._strategies,
            emitter=emitter,
            connect=self._connect,
            breaker_changed=self._breaker_changed,
            previous=old,
        )

    def _tell(self, old: Wiring, new: Wiring) -> None:
        before, after = old.settings.providers, new.settings.providers
        if ConfigReloaded in new.emitter.table:
            changed = (name for name in before.keys() & after.keys() if old.instances[name] is not new.instances[name])
            new.emitter.emit(
                ConfigReloaded(
                    added=tuple(sorted(after.keys() - before.keys())),
                    removed=tuple(sorted(before.keys() - after.keys())),
                    changed=tuple(sorted(changed)),
                )
            )

    def _breaker_changed(self, target: str, state: BreakerState) -> None:
        if BreakerChanged in self.wiring.emitter.table:
            self.wiring.emitter.emit(BreakerChanged(target=target, state=state))

    async def _open_observers(self, settings: Settings, registry: PluginRegistry) -> Emitter:
        opened: list[tuple[ComponentSettings, Component[Observer]]] = []
        named: list[tuple[str, Observer]] = []
        for name, each in settings.observers.items():
            component = next((known for old, known in self._observers if old == each), None)
            if component is None:
                component = self._observer(name, each, settings, registry)
            named.append((name, await component.get(self._host)))
            opened.append((each, component))
        self._observers = opened
        return Emitter(named, capture=settings.capture == "content")

    def _observer(
        self, name: str, each: ComponentSettings, settings: Settings, registry: PluginRegistry
    ) -> Component[Observer]:
        spec = registry.observer(each.use)
        config = build_options(spec.config, each.options, each.path, source=settings.source)
        environment = ComponentEnvironment(self, name=name, path=each.path)
        return Component(f"observer {name}", lambda: spec.open(config, environment))

    def _connect(self, instance: Instance) -> None:
        def open_() -> AbstractAsyncContextManager[Provider]:
            resolved = instance.resolve()
            if resolved.open is None:
                return nullcontext(RouteProvider(self, instance.name.removeprefix("route:")))
            environment = ComponentEnvironment(
                self, name=instance.name, path=instance.settings.path, instance=instance, auth=resolved.auth
            )
            return resolved.open(environment)

        instance.component = Component(instance.name, open_)
        instance.open = lambda: instance.component.get(self._host)

    async def open(self, instance: Instance) -> Provider:
        """The open provider of an instance."""
        return instance.component.value or await instance.open()

    async def open_for(self, waiter: Instance, instance: Instance) -> Provider:
        """The same on behalf of an instance that is opening and wraps it."""
        waiter.wraps.add(instance.name)
        return await self._host.get_for(waiter.name, waiter.settings.path, instance.component)

    async def open_auth(self, component: Component[AuthScheme]) -> AuthScheme:
        """The open auth scheme."""
        return component.value or await component.get(self._host)
