"""The strategy that asks a second target when the first takes long."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from mlo.routing import Outcome, Request, Step, Target

from .options import HedgedOptions

__all__ = ["Hedged"]


class Hedged:
    """Targets race in groups of ``width``, in the route's order; the first success wins and the rest are cancelled.

    Within a group each target starts ``stagger`` seconds after the one before, or at once when that one fails. So the
    second target is asked, and paid, only when the first is slow. The next group starts when a whole group has failed.
    """

    def __init__(self, options: HedgedOptions | None = None) -> None:
        self._options = options or HedgedOptions()

    def route(self, _request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once."""
        width = self._options.width
        for start in range(0, len(targets), width):
            yield Step(tuple(targets[start : start + width]), stagger=self._options.stagger, probability=1.0)
