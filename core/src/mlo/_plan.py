"""A route ready to be used: its strategy, its targets, its limits. Built from settings, loaded on first use."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import errors
from ._budget import RetryBudget
from ._instances import TargetState
from ._observe import Emitter
from .api import Strategy
from .errors import MloError
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
        self.retry = settings.retry
        self.failover_on: tuple[type[Exception], ...] = tuple(getattr(errors, each) for each in settings.failover_on)
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
