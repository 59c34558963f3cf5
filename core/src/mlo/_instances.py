"""Provider instances and targets: what the configuration names, resolved on first use."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from attrs import field, frozen

from ._breaker import Breaker, BreakerState
from ._components import Component
from ._slots import Slots
from .api import AuthSpec, Environment, Provider, ProviderSpec
from .errors import MloError, ProviderError
from .models import Capability, Price, Residency
from .routing import Target
from .settings import BreakerSettings, ProviderSettings

__all__ = ["AuthChoice", "Instance", "Resolved", "TargetState", "from_spec", "given", "is_ill"]

_log = logging.getLogger("mlo")


@frozen(kw_only=True)
class AuthChoice:
    """An auth scheme with its options: equal choices share one open scheme."""

    spec: AuthSpec[Any] = field(eq=lambda spec: spec.name, repr=lambda spec: spec.name)
    config: object = field(repr=False)


@frozen(kw_only=True)
class Resolved:
    """A provider instance whose plugin is loaded and whose options are checked.

    ``open`` gives the provider's context manager (``None``: the kernel itself is the provider). ``config`` is
    compared when the configuration is reloaded.
    """

    config: object = field(repr=False)
    open: Callable[[Environment], AbstractAsyncContextManager[Provider]] | None = field(default=None, eq=False)
    auth: AuthChoice | None = None
    capabilities: frozenset[Capability] = frozenset()
    residency: Residency = Residency()
    concurrency: int | None = None
    price: Callable[[str | None], Price | None] = field(default=lambda _model: None, eq=False)


def from_spec(spec: ProviderSpec[Any], config: object, settings: ProviderSettings, auth: AuthChoice | None) -> Resolved:
    """Put together what the plugin says of itself and what the instance's table overrides."""
    price = settings.price
    residency = spec.residency if isinstance(spec.residency, Residency) else spec.residency(config)
    limit = settings.concurrency
    if limit is None:
        limit = None if auth is None else auth.spec.concurrency(auth.config)
    if limit is None:
        limit = spec.concurrency(config)
    return Resolved(
        open=partial(spec.open, config),
        config=config,
        auth=auth,
        capabilities=spec.capabilities if settings.capabilities is None else settings.capabilities,
        residency=residency if settings.residency is None else settings.residency,
        concurrency=limit or None,
        price=partial(spec.price, config) if price is None else lambda _model: price,
    )


def given(provider: Provider, capabilities: frozenset[Capability], concurrency: int | None) -> Resolved:
    """A provider object that the program made itself and keeps the ownership of."""

    @asynccontextmanager
    async def open_(_env: Environment) -> AsyncGenerator[Provider, None]:
        yield provider

    return Resolved(open=open_, config=provider, capabilities=capabilities, concurrency=concurrency or None)


class Instance:
    """A provider instance by its name. Nothing is loaded before :meth:`resolve`, nothing opened before :meth:`open`.

    ``wraps`` are the names of the instances that it asked for while opening.
    """

    def __init__(self, name: str, settings: ProviderSettings, resolve: Callable[[], Resolved]) -> None:
        self.name = name
        self.settings = settings
        self.wraps: set[str] = set()
        self.slots: Slots | None = None
        self.component: Component[Provider]
        self.open: Callable[[], Awaitable[Provider]]
        self._resolve = resolve
        self._resolved: Resolved | None = None
        self._error: MloError | None = None

    def resolve(self) -> Resolved:
        """Load the plugin and check the options, once.

        Raises:
            PluginError: when there is no such plugin, or none that may or can be loaded.
            ConfigError: when the options are wrong.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)  # it would grow by every raise
        if self._resolved is None:
            try:
                self._resolved = self._resolve()
            except MloError as error:
                self._error = error
                _log.warning("provider %r cannot be used: %s", self.name, error)
                raise
        return self._resolved

    def still_resolves_the_same(self) -> bool:
        """Whether its options, references such as ``env:NAME`` included, say what they said when it was resolved."""
        if self._error is not None:
            return False
        try:
            return self._resolved is None or self._resolve() == self._resolved
        except MloError:
            return False


class TargetState:
    """A target and everything the kernel knows of it.

    Strategies see the part that :class:`~mlo.routing.TargetStats` shows.
    """

    __slots__ = ("_breaker", "in_flight", "instance", "load", "model", "target")

    def __init__(
        self,
        name: str,
        instance: Instance,
        model: str | None,
        breaker: BreakerSettings,
        changed: Callable[[str, BreakerState, bool], None],
    ) -> None:
        resolved = instance.resolve()
        self.instance = instance
        self.model = model
        self.in_flight = 0
        self.load: float | None = None
        self._breaker = Breaker(breaker, partial(changed, name))
        self.target = Target(
            name=name,
            provider=instance.name,
            model=model,
            capabilities=resolved.capabilities,
            residency=resolved.residency,
            price=resolved.price(model),
            labels=instance.settings.labels,
            stats=self,
        )

    @property
    def plugin(self) -> str:
        """The id of the provider's plugin; ``route`` for a route inside a route."""
        use = self.instance.settings.use
        return "route" if use.startswith("route:") else use

    def price_of(self, model: str | None) -> Price | None:
        """What a call costs here that asks for ``model`` (``None``: the target's own)."""
        if model is None or model == self.model:
            return self.target.price
        return self.instance.resolve().price(model)

    @property
    def health(self) -> Breaker:
        """The circuit breaker itself."""
        return self._breaker

    @property
    def breaker(self) -> BreakerState:
        """The state of the circuit breaker."""
        return self._breaker.state


def is_ill(error: Exception) -> bool:
    """Whether ``error`` says something about the health of the target that raised it."""
    return isinstance(error, ProviderError) and error.health
