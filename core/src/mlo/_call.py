"""One routed call: its identity, its time, its attempts so far, and the records that tell observers of it."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Literal, TypeAlias

from .errors import CallRefused
from .records import CallFinished, CallStarted, RouteDecided, StepChosen
from .responses import CallInfo, Usage
from .routing import Outcome, Request, Step

if TYPE_CHECKING:
    from ._instances import TargetState
    from ._plan import RoutePlan
    from .api import CallContext

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

    ``deadline`` is on the clock of :func:`anyio.current_time`; ``outer`` is the attempt that this call serves, if it is
    one of a route inside a route.
    """

    __slots__ = (
        "_record",
        "attempts",
        "call_id",
        "deadline",
        "depth",
        "emitter",
        "operation",
        "outcomes",
        "parent",
        "plan",
        "request",
        "started",
    )

    def __init__(
        self,
        plan: RoutePlan,
        request: Request,
        operation: Operation,
        deadline: float | None,
        outer: CallContext | None = None,
    ) -> None:
        self.plan = plan
        self.parent = None if outer is None else outer.call_id
        self.depth = 0 if outer is None else outer.depth + 1
        self.request = request
        self.operation = operation
        self.deadline = deadline
        self.emitter = plan.emitter
        self.call_id = f"{_prefix}-{next(_numbers):x}"
        self.attempts = 0
        self.outcomes: list[Outcome] = []
        self.started = monotonic()
        self._record: CallStarted | None = None
        if CallStarted in self.emitter.table:
            self.emitter.emit(self._recorded())

    def _recorded(self) -> CallStarted:
        if self._record is None:
            self._record = self._new_record()
        return self._record

    def _new_record(self) -> CallStarted:
        return CallStarted(
            call_id=self.call_id,
            route=self.plan.name,
            operation=self.operation,
            metadata=self.request.metadata,
            request=self.request if self.emitter.capture else None,
            parent=self.parent,
            depth=self.depth,
        )

    async def admit(self) -> None:
        """Ask the gatekeepers, in the order of the configuration.

        Raises:
            CallRefused: when one of them refuses the call, or fails.
        """
        if self.depth:
            return  # the outermost call was asked, and this one is part of it
        for name, gatekeeper in self.emitter.gatekeepers:
            try:
                waiting = gatekeeper.admit(self._recorded(), self.request)
                if waiting is not None:
                    await waiting
            except CallRefused as refused:
                refused.call_id = refused.call_id or self.call_id
                raise
            except Exception as error:
                message = f"observer {name!r} could not say whether the call may go on: {type(error).__name__}: {error}"
                raise CallRefused(message, reason="gatekeeper-failed", scope=name, call_id=self.call_id) from error

    def chose(self, step: Step) -> None:
        """Tell whom the strategy chose."""
        if StepChosen in self.emitter.table:
            self.emitter.emit(
                StepChosen(
                    call_id=self.call_id,
                    targets=tuple(target.name for target in step.targets),
                    scores=step.scores,
                    probability=step.probability,
                )
            )

    def decided(self, candidates: Sequence[TargetState], rejected: Mapping[str, str]) -> None:
        """Tell who may answer."""
        if RouteDecided in self.emitter.table:
            self.emitter.emit(
                RouteDecided(
                    call_id=self.call_id,
                    route=self.plan.name,
                    strategy=self.plan.strategy_name,
                    candidates=tuple(state.target.name for state in candidates),
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
