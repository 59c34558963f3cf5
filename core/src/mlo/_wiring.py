"""A configuration put to work: instances, auth schemes, targets and routes, as one snapshot.

A reload builds a new snapshot, which takes over what has not changed: open connections, tokens, circuit breakers.
The old one closes what is left of it when its last call has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from difflib import get_close_matches
from typing import Any, TypeAlias

import anyio

from ._breaker import BreakerState
from ._budget import RetryBudget
from ._components import Component
from ._config import build_options
from ._instances import AuthChoice, Instance, Resolved, TargetState, from_spec
from ._observe import Emitter
from ._plan import RoutePlan
from ._registry import PluginRegistry
from ._slots import Slots
from .api import AuthScheme, Environment, Observer, Strategy
from .errors import ConfigError
from .models import Capability
from .settings import ComponentSettings, ProviderSettings, RouteSettings, Settings

__all__ = ["Observers", "Wiring", "unknown"]

Observers: TypeAlias = Sequence[tuple[ComponentSettings, Component[Observer]]]
_ROUTE = "route:"


def unknown(path: str, what: str, name: str, known: Iterable[str], source: str | None = None) -> ConfigError:
    """The error for a name that nothing has, with the names that come near."""
    known = sorted(known)
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(known) or 'none'}"
    return ConfigError(path, f"there is no {what} {name!r}", hint=hint, source=source)


class Wiring:
    """One snapshot. ``given`` are provider objects that the program brought along, resolved already."""

    def __init__(
        self,
        settings: Settings,
        registry: PluginRegistry,
        *,
        given: Mapping[str, Resolved],
        strategies: Mapping[str, Strategy],
        emitter: Emitter,
        observers: Observers,
        connect: Callable[[Instance], None],
        breaker_changed: Callable[[str, BreakerState, bool], None],
        previous: Wiring | None = None,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.emitter = emitter
        self.observers = observers
        self.budget = RetryBudget(settings.retry_ratio, settings.retry_reserve)
        self._connect = connect
        self._breaker_changed = breaker_changed
        self._given = given
        self._strategies = strategies
        self.auths: list[tuple[AuthChoice, Component[AuthScheme]]] = []
        self.instances: dict[str, Instance] = {}
        self._slots: list[tuple[object, Slots]] = []
        self._former_slots: list[tuple[object, Slots]] = []
        self._states: dict[str, TargetState] = {}
        self._plans: dict[str, RoutePlan] = {}
        self._direct: dict[str, RoutePlan] = {}
        self._calls = 0
        self._drained = anyio.Event()
        self._retired = False
        if previous is not None:
            self._take_over(previous)
        for name, each in settings.providers.items():
            if name not in self.instances:
                self._add(Instance(name, each, self._resolver(name, each)))

    def _add(self, instance: Instance) -> Instance:
        self._connect(instance)
        self.instances[instance.name] = instance
        return instance

    def enter(self) -> None:
        """A call begins to use this snapshot."""
        self._calls += 1

    def leave(self) -> None:
        """A call has ended."""
        self._calls -= 1
        if self._retired and self._calls == 0:
            self._drained.set()

    @property
    def is_used(self) -> bool:
        """Whether a call is under way."""
        return self._calls > 0

    async def drained(self) -> None:
        """Wait until the calls that use this snapshot have ended; there must be a newer one already."""
        self._retired = True
        if self._calls:
            await self._drained.wait()

    def components(self) -> Iterator[Component[Any]]:
        """Everything that this snapshot may have open."""
        for instance in self.instances.values():
            yield instance.component
        for _, scheme in self.auths:
            yield scheme
        for _, observer in self.observers:
            yield observer

    def _take_over(self, previous: Wiring) -> None:
        same = {
            name: instance
            for name, instance in previous.instances.items()
            if self._is_same(name, instance, previous) and instance.still_resolves_the_same()
        }
        while broken := [name for name, instance in same.items() if not instance.wraps <= same.keys()]:
            for name in broken:
                del same[name]
        self.instances = same
        needed = self._needed()
        self.auths = [(choice, component) for choice, component in previous.auths if component in needed]
        self._take_over_slots(previous)
        budget = previous.settings.retry_ratio, previous.settings.retry_reserve
        if budget == (self.settings.retry_ratio, self.settings.retry_reserve):
            self.budget = previous.budget
        if previous.settings.breaker == self.settings.breaker:
            states = previous._states
            self._states = {
                name: state for name, state in states.items() if same.get(state.instance.name) is state.instance
            }

    def _needed(self) -> set[Component[Any]]:
        """The instances and observers taken over, and the auth schemes that they use."""
        found: set[Component[Any]] = set()
        unseen: list[Component[Any]] = [each.component for each in self.instances.values()]
        unseen += [component for _, component in self.observers]
        while unseen:
            component = unseen.pop()
            if component not in found:
                found.add(component)
                unseen += component.needs
        return found

    def _take_over_slots(self, previous: Wiring) -> None:
        users: dict[Slots, list[int]] = {}
        for instance in self.instances.values():
            limit = None if instance.slots is None else instance.resolve().concurrency
            if instance.slots is not None and limit is not None:
                users.setdefault(instance.slots, []).append(limit)
        for credential, slots in previous._slots:
            if slots in users:
                slots.resize(min(users[slots]))  # a stricter user may be gone
                self._slots.append((credential, slots))
            else:
                self._former_slots.append((credential, slots))

    def _is_same(self, name: str, instance: Instance, previous: Wiring) -> bool:
        return (
            self.registry is previous.registry
            and self.settings.providers.get(name) == instance.settings
            and self._given.get(name) is previous._given.get(name)
        )

    def _resolver(self, name: str, settings: ProviderSettings) -> Callable[[], Resolved]:
        def resolve() -> Resolved:
            if name in self._given:
                return self._given[name]
            spec = self.registry.provider(settings.use)
            config = self._options(spec.config, settings)
            return from_spec(spec, config, settings, None if settings.auth is None else self.choose_auth(settings.auth))

        return resolve

    def choose_auth(self, settings: ComponentSettings) -> AuthChoice:
        """Load an auth scheme's plugin and check its options."""
        spec = self.registry.auth(settings.use)
        return AuthChoice(spec=spec, config=self._options(spec.config, settings))

    def auth(
        self, choice: AuthChoice, environment: Environment, needs: AbstractSet[Component[Any]]
    ) -> Component[AuthScheme]:
        """The component of an auth scheme: one for all who chose the same."""
        for known, component in self.auths:
            if known == choice:
                return component
        component = Component(f"auth {choice.spec.name}", lambda: choice.spec.open(choice.config, environment), needs)
        self.auths.append((choice, component))
        return component

    def instance(self, name: str, path: str) -> Instance:
        """The provider instance of that name.

        Raises:
            ConfigError: when there is none.
        """
        found = self.instances.get(name)
        if found is not None:
            return found
        if not name.startswith(_ROUTE):
            raise unknown(path, "provider", name, self.instances, self.settings.source)
        self.plan(name.removeprefix(_ROUTE))  # it exists, or this raises
        anything = Resolved(config=None, capabilities=frozenset(Capability))
        return self._add(Instance(name, ProviderSettings(use=name, path=path), lambda: anything))

    def _options(self, config_class: type[Any], settings: ComponentSettings) -> object:
        return build_options(config_class, settings.options, settings.path, source=self.settings.source)

    def _slots_of(self, instance: Instance, resolved: Resolved) -> Slots | None:
        if resolved.concurrency is None:
            return None
        credential: object = instance.name if resolved.auth is None else resolved.auth
        for known, slots in self._slots:
            if known == credential:
                slots.narrow(resolved.concurrency)
                return slots
        # Calls under way in the snapshot before hold slots of the same credential: they count, under the new limit.
        former = next((slots for known, slots in self._former_slots if known == credential), None)
        slots = former or Slots(resolved.concurrency)
        slots.resize(resolved.concurrency)
        self._slots.append((credential, slots))
        return slots

    def state(self, name: str) -> TargetState:
        """The target of that name: ``INSTANCE``, ``INSTANCE:MODEL`` or ``route:NAME``.

        Raises:
            ConfigError: when there is no such instance, or its options are wrong.
            PluginError: when its plugin cannot be used.
        """
        state = self._states.get(name)
        if state is None:
            instance_name, model = (name, None) if name.startswith(_ROUTE) else _split(name)
            instance = self.instance(instance_name, "targets")
            if instance.slots is None:
                instance.slots = self._slots_of(instance, instance.resolve())
            state = TargetState(name, instance, model, self.settings.breaker, self._breaker_changed)
            self._states[name] = state
        return state

    def target_names(self) -> dict[str, None]:
        """The targets of all routes, and those that were used without one."""
        named = (target for route in self.settings.routes.values() for target in route.targets)
        return dict.fromkeys([*named, *self._states])

    def note_load(self, instance: str, load: float | None) -> None:
        """Remember what a provider says of its own load, for strategies."""
        for state in self._states.values():
            if state.instance.name == instance:
                state.load = load

    def plan(self, name: str) -> RoutePlan:
        """The route of that name; ``default`` is all providers in order unless configured otherwise.

        Raises:
            ConfigError: when there is none.
        """
        plan = self._plans.get(name)
        if plan is None:
            settings = self.settings.routes.get(name)
            if settings is None and name == "default":
                settings = RouteSettings(targets=tuple(self.settings.providers), path="routes.default")
            if settings is None:
                raise unknown("route", "route", name, self.settings.routes, self.settings.source)
            plan = self._plans[name] = self._build(name, settings)
        return plan

    def plan_for(self, target: str) -> tuple[RoutePlan, str | None]:
        """A route to one target, and the model to ask there for (``None``: the target's own)."""
        if target in self._states or target.startswith(_ROUTE):
            name, model = target, None
        else:
            name, model = _split(target)
        plan = self._direct.get(name)
        if plan is None:
            if name not in self._states:
                self.instance(name, "target")
            plan = self._direct[name] = self._build(f"target:{name}", RouteSettings(targets=(name,)))
        return plan, model

    def _build(self, name: str, settings: RouteSettings) -> RoutePlan:
        def build_strategy() -> Strategy:
            ready = self._strategies.get(settings.strategy.use)
            if ready is not None:
                return ready
            spec = self.registry.strategy(settings.strategy.use)
            return spec.build(self._options(spec.config, settings.strategy))

        return RoutePlan(
            name,
            settings,
            build_strategy=build_strategy,
            find_state=self.state,
            emitter=self.emitter,
            budget=self.budget,
        )


def _split(name: str) -> tuple[str, str | None]:
    instance, _, model = name.partition(":")
    return instance, model or None
