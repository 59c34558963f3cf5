"""The strategy that comes with the kernel, registered like everybody's."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from attrs import frozen

from .api import StrategySpec
from .hookspecs import hookimpl
from .routing import Outcome, Request, Step, Target

__all__ = ["FirstAvailable", "FirstAvailableConfig", "mlo_strategies"]


@frozen
class FirstAvailableConfig:
    """No options."""


class FirstAvailable:
    """Targets in the order of the configuration, one after the other."""

    def route(self, _request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """Propose each target once."""
        for target in targets:
            yield Step((target,), probability=1.0)


def _build(_config: FirstAvailableConfig) -> FirstAvailable:
    return FirstAvailable()


@hookimpl
def mlo_strategies() -> Iterable[StrategySpec[Any]]:
    """The built-in strategy."""
    return [
        StrategySpec(
            name="first-available",
            config=FirstAvailableConfig,
            build=_build,
            summary="targets in order, the next one when one fails",
        )
    ]
