"""A route ready to be used: its strategy, its targets, its limits. Built from settings, loaded on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan

from . import errors
from ._budget import RetryBudget
from ._instances import TargetState
from ._observe import Emitter
from .api import Strategy
from .errors import ConfigError, MloError, ProviderError
from .models import Capability
from .requests import ChatRequest
from .routing import Request
from .settings import RouteSettings

__all__ = ["RoutePlan"]

_EMBEDDING = frozenset({Capability.EMBEDDINGS})


class RoutePlan:
    """What the executor needs to know of a route.

    ``unusable`` holds the errors of targets whose plugin or options are wrong, by target; they concern nobody else.
    """

    def __init__(
        self,
        name: str,
        settings: RouteSettings,
        *,
        build_strategy: Callable[[], Strategy],
        find_state: Callable[[str], TargetState],
        emitter: Emitter,
        budget: RetryBudget,
    ) -> None:
        self.name = name
        self.settings = settings
        self.strategy_name = settings.strategy.use
        self.deadline = settings.deadline
        self.attempt_timeout = settings.attempt_timeout
        for key, seconds in (("deadline", self.deadline), ("attempt_timeout", self.attempt_timeout)):
            if seconds is not None and isnan(seconds):
                raise ConfigError(f"{settings.path}.{key}", "NaN is not a time", hint="give seconds, or None")
        self.retry = settings.retry
        self.failover_on: tuple[type[ProviderError], ...] = _error_classes(settings)
        self.emitter = emitter
        self.budget = budget
        self.unusable: dict[str, MloError] = {}
        self._build_strategy = build_strategy
        self._find_state = find_state
        self._strategy: Strategy | None = None
        self._states: list[TargetState] | None = None

    @property
    def strategy(self) -> Strategy:
        """The strategy, built when first asked for.

        Raises:
            PluginError: when its plugin cannot be used.
            ConfigError: when its options are wrong.
        """
        if self._strategy is None:
            self._strategy = self._build_strategy()
        return self._strategy

    def states(self, rejected: dict[str, str]) -> Sequence[TargetState]:
        """The usable targets, in the order of the settings; the reason for each unusable one goes to ``rejected``."""
        if self._states is None:
            self._states = list(self._resolve())
        for name, error in self.unusable.items():
            rejected[name] = str(error)
        return self._states

    def _resolve(self) -> Sequence[TargetState]:
        states = []
        for name in self.settings.targets:
            try:
                states.append(self._find_state(name))
            except MloError as error:
                self.unusable[name] = error
        return states

    def needs_of(self, request: Request) -> frozenset[Capability]:
        """What a target must be able to do."""
        return request.needs() if isinstance(request, ChatRequest) else _EMBEDDING


def _error_classes(settings: RouteSettings) -> tuple[type[ProviderError], ...]:
    classes = []
    for name in settings.failover_on:
        found = getattr(errors, name, None)
        if not isinstance(found, type) or not issubclass(found, ProviderError):
            hint = "name leaves of ProviderError, such as AuthFailed"
            raise ConfigError(f"{settings.path}.failover_on", f"there is no provider error {name!r}", hint=hint)
        classes.append(found)
    return tuple(classes)
