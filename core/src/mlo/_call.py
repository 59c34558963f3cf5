"""One routed call: its identity, its time, its attempts so far, and the records that tell observers of it."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Literal, TypeAlias

from .records import CallFinished, CallStarted, RouteDecided
from .responses import CallInfo, Usage
from .routing import Outcome, Request

if TYPE_CHECKING:
    from ._plan import RoutePlan

__all__ = ["Call", "Operation", "Status"]

Operation: TypeAlias = Literal["chat", "stream", "embed"]
Status: TypeAlias = Literal["ok", "error", "cancelled", "abandoned"]

# Unique over processes without asking the operating system for random bytes at every call.
_prefix = secrets.token_hex(6)
_numbers = itertools.count(1)


def _renew_prefix() -> None:
    global _prefix  # noqa: PLW0603 - a fork copies it, and the counter with it
    _prefix = secrets.token_hex(6)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_prefix)


class Call:
    """The life of one call.

    ``deadline`` is on the clock of :func:`anyio.current_time`; ``depth`` as in ``CallContext``.
    """

    __slots__ = ("attempts", "call_id", "deadline", "depth", "emitter", "outcomes", "plan", "request", "started")

    def __init__(
        self, plan: RoutePlan, request: Request, operation: Operation, deadline: float | None, depth: int = 0
    ) -> None:
        self.plan = plan
        self.depth = depth
        self.request = request
        self.deadline = deadline
        self.emitter = plan.emitter
        self.call_id = f"{_prefix}-{next(_numbers):x}"
        self.attempts = 0
        self.outcomes: list[Outcome] = []
        self.started = monotonic()
        if CallStarted in self.emitter.table:
            captured = request if self.emitter.capture else None
            self.emitter.emit(
                CallStarted(
                    call_id=self.call_id,
                    route=plan.name,
                    operation=operation,
                    metadata=request.metadata,
                    request=captured,
                )
            )

    def decided(self, candidates: Sequence[str], rejected: Mapping[str, str]) -> None:
        """Tell who may answer."""
        if RouteDecided in self.emitter.table:
            self.emitter.emit(
                RouteDecided(
                    call_id=self.call_id,
                    route=self.plan.name,
                    strategy=self.plan.strategy_name,
                    candidates=tuple(candidates),
                    rejected=rejected,
                )
            )

    def finish(
        self, status: Status, *, target: str | None = None, usage: Usage | None = None, error: Exception | None = None
    ) -> None:
        """Tell that the call is over."""
        if CallFinished in self.emitter.table:
            self.emitter.emit(
                CallFinished(
                    call_id=self.call_id,
                    route=self.plan.name,
                    status=status,
                    elapsed=monotonic() - self.started,
                    attempts=self.attempts,
                    target=target,
                    usage=Usage() if usage is None else usage,
                    error=error,
                )
            )

    def info(self, target: str) -> CallInfo:
        """What the answer says about how it came about."""
        return CallInfo(
            call_id=self.call_id,
            target=target,
            route=self.plan.name,
            attempts=tuple(self.outcomes),
            duration=monotonic() - self.started,
        )
