"""What stands behind a router while it is open: the current snapshot, and the tasks in which components live."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext

import anyio
from anyio.abc import TaskGroup

from ._breaker import BreakerState
from ._components import Component, ComponentHost
from ._config import build_options
from ._environment import ComponentEnvironment, RouteProvider
from ._instances import Instance, Resolved
from ._observe import Emitter
from ._registry import PluginRegistry
from ._wiring import Observers, Wiring, unknown
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
        self._changing = anyio.Lock()
        self._retired: dict[Wiring, anyio.Event] = {}
        self.wiring = self._wire(settings, registry, Emitter(), (), None)

    async def start(self) -> None:
        """Open the observers; everything else opens when it is used."""
        settings, registry = self.wiring.settings, self.wiring.registry
        emitter, observers = await self._open_observers(settings, registry)
        self.wiring = self._wire(settings, registry, emitter, observers, None)

    async def replace(self, settings: Settings, registry: PluginRegistry) -> None:
        """Let calls from here on use ``settings``; those under way end as they began.

        Raises:
            ConfigError: when an observer cannot open; then nothing has changed.
        """
        async with self._changing:
            emitter, observers = await self._open_observers(settings, registry)
            # Only now: providers may have been added while observers opened.
            self._follow(self._wire(settings, registry, emitter, observers, self.wiring))

    def extend(self, settings: Settings) -> None:
        """The same at once, for settings with the same observers and plugins as before."""
        old = self.wiring
        self._follow(self._wire(settings, old.registry, old.emitter, old.observers, old))

    async def settled(self) -> None:
        """Wait until the calls that began under former settings have ended and what only they used is closed."""
        for gone in list(self._retired.values()):
            await gone.wait()

    def _follow(self, wiring: Wiring) -> None:
        old, self.wiring = self.wiring, wiring
        self._tell(old, wiring)
        gone = self._retired[old] = anyio.Event()
        # In a task of the kernel's: whoever asked for the change may be cancelled while old calls last.
        self._tasks.start_soon(self._retire, old, gone)

    async def _retire(self, old: Wiring, gone: anyio.Event) -> None:
        try:
            await old.drained()
            del self._retired[old]
            # Snapshots that are older or newer than this one may have calls under way on the same components.
            used = (each.components() for each in self._retired if each.is_used)
            living = set(self.wiring.components()).union(*used)
            await self._host.close(set(old.components()) - living)
        finally:
            gone.set()

    def _wire(
        self,
        settings: Settings,
        registry: PluginRegistry,
        emitter: Emitter,
        observers: Observers,
        old: Wiring | None,
    ) -> Wiring:
        return Wiring(
            settings,
            registry,
            given=dict(self._given),
            strategies=self._strategies,
            emitter=emitter,
            observers=observers,
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

    def _breaker_changed(self, target: str, state: BreakerState, hinted: bool) -> None:  # noqa: FBT001 - a callback
        if BreakerChanged in self.wiring.emitter.table:
            self.wiring.emitter.emit(BreakerChanged(target=target, state=state, hinted=hinted))

    async def _open_observers(self, settings: Settings, registry: PluginRegistry) -> tuple[Emitter, Observers]:
        before = self.wiring.observers
        observers: list[tuple[ComponentSettings, Component[Observer]]] = []
        named: list[tuple[str, Observer]] = []
        try:
            for name, each in settings.observers.items():
                component = next((known for old, known in before if old == each), None)
                if component is None:
                    component = self._observer(name, each, settings, registry)
                observers.append((each, component))
                named.append((name, await component.get(self._host)))
            return Emitter(named, capture=settings.capture == "content"), observers
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._host.close({new for _, new in observers} - {known for _, known in before})
            raise

    def _observer(
        self, name: str, each: ComponentSettings, settings: Settings, registry: PluginRegistry
    ) -> Component[Observer]:
        spec = registry.observer(each.use)
        config = build_options(spec.config, each.options, each.path, source=settings.source)
        environment = ComponentEnvironment(self, name=name, path=each.path)
        return Component(f"observer {name}", lambda: spec.open(config, environment), environment.needs)

    def _connect(self, instance: Instance) -> None:
        def open_() -> AbstractAsyncContextManager[Provider]:
            resolved = instance.resolve()
            if resolved.open is None:
                return nullcontext(RouteProvider(self, instance.name.removeprefix("route:")))
            environment = ComponentEnvironment(
                self, name=instance.name, path=instance.settings.path, instance=instance, auth=resolved.auth
            )
            instance.component.needs = environment.needs
            return resolved.open(environment)

        instance.component = Component(instance.name, open_)
        instance.open = lambda: instance.component.get(self._host)

    async def open(self, instance: Instance) -> Provider:
        """The open provider of an instance."""
        provider = instance.component.value
        return provider if provider is not None else await instance.open()

    async def observer(self, name: str) -> Observer:
        """The open observer of that name.

        Raises:
            ConfigError: when there is none.
        """
        names = list(self.wiring.settings.observers)
        if name not in names:
            raise unknown("observers", "observer", name, names, self.wiring.settings.source)
        return await self.wiring.observers[names.index(name)][1].get(self._host)

    async def open_for(self, waiter: Instance, instance: Instance) -> Provider:
        """The same on behalf of an instance that is opening and wraps it."""
        waiter.wraps.add(instance.name)
        return await self._host.get_for(waiter.name, waiter.settings.path, instance.component)

    async def open_auth(self, component: Component[AuthScheme]) -> AuthScheme:
        """The open auth scheme."""
        return await component.get(self._host)
