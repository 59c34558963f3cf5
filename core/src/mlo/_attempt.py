"""One attempt at one target: what it holds while it lasts, and how its end is told, exactly once."""

from __future__ import annotations

from time import monotonic
from typing import TypeVar

import attrs

from ._call import Call
from ._instances import TargetState, is_ill
from .api import CallContext, Provider
from .errors import InvalidRequest, Overloaded, ProviderError
from .records import AttemptFailed, AttemptFinished, AttemptStarted, FirstEvent
from .relay import RelaySummary
from .responses import ChatResponse, Embeddings, Usage
from .routing import Outcome, Request

__all__ = ["Attempt"]

A = TypeVar("A", ChatResponse, Embeddings)


class Attempt:
    """Accounts for an attempt from its start to its end.

    The first of :meth:`finish`, :meth:`fail` and :meth:`cancel` ends it; later ones do nothing.
    """

    __slots__ = (
        "_ended",
        "_holds_slot",
        "_in_breaker",
        "_reached",
        "call",
        "first_event",
        "number",
        "price",
        "queued",
        "started",
        "state",
    )

    def __init__(self, call: Call, state: TargetState) -> None:
        call.attempts += 1
        self.call = call
        self.state = state
        self.number = call.attempts
        self.started = monotonic()
        self.first_event: float | None = None
        self._ended = False
        self._holds_slot = False
        self._in_breaker = False
        self._reached = False
        self.queued = 0.0
        self.price = state.price_of(call.request.model)
        state.in_flight += 1
        if AttemptStarted in call.emitter.table:
            call.emitter.emit(
                AttemptStarted(
                    call_id=call.call_id,
                    attempt=self.number,
                    target=state.target.name,
                    model=self.model(),
                    provider=state.instance.name,
                    plugin=state.plugin,
                    price=self.price,
                    residency=state.target.residency,
                )
            )

    async def enter(self) -> Provider:
        """Pass the breaker, wait for a slot, and have the provider open.

        Raises:
            Overloaded: when the circuit breaker is open.
            ConfigError: when the provider cannot open as it is configured.
        """
        state = self.state
        if not state.health.enter(self.started):
            wait = state.health.retry_in(self.started)
            raise Overloaded(
                "left alone after repeated failures (circuit breaker)", retry_after=wait, code="breaker-open"
            )
        self._in_breaker = True
        slots = state.instance.slots
        if slots is not None:
            try:
                await slots.acquire()
                self._holds_slot = True
            finally:
                self.queued = monotonic() - self.started
        self._reached = True  # what fails before, such as a time-out in the line, says nothing about the target
        provider = state.instance.component.value
        return provider if provider is not None else await state.instance.open()

    def context(self) -> CallContext:
        """What the provider is told."""
        call = self.call
        return CallContext(
            call_id=call.call_id,
            attempt=self.number,
            target=self.state.target.name,
            route=call.plan.name,
            deadline=call.deadline,
            depth=call.depth,
            metadata=call.request.metadata,
        )

    def model(self) -> str | None:
        """Which model to ask for: the call's, else the target's."""
        return self.call.request.model or self.state.model

    def request(self) -> Request:
        """What to ask: the call's request, for the target's model unless it names one itself."""
        request, model = self.call.request, self.model()
        return request if model == request.model else attrs.evolve(request, model=model)

    def priced(self, usage: Usage) -> Usage:
        """``usage`` with its cost: at the operator's price if there is one, else at the plugin's unless it said it."""
        own = self.state.instance.settings.price
        if own is not None:
            return usage.priced(own)
        if self.price is None or usage.cost is not None:
            return usage
        return usage.priced(self.price)

    def commit(self) -> None:
        """The first event of a stream is there."""
        self.first_event = monotonic() - self.started
        self._leave_breaker_well()
        emitter = self.call.emitter
        if FirstEvent in emitter.table:
            emitter.emit(
                FirstEvent(
                    call_id=self.call.call_id,
                    attempt=self.number,
                    target=self.state.target.name,
                    elapsed=self.first_event,
                )
            )

    def succeed(self, answer: A) -> A:
        """It succeeded with ``answer``, which is returned with its cost where that is known."""
        usage = self.priced(answer.usage)
        if usage is not answer.usage:
            answer = attrs.evolve(answer, usage=usage)
        self.finish(answer)
        return answer

    def finish(self, answer: ChatResponse | Embeddings | RelaySummary) -> None:
        """It succeeded."""
        if not self._end():
            return
        self._leave_breaker_well()
        emitter = self.call.emitter
        if AttemptFinished in emitter.table:
            chat = answer if isinstance(answer, ChatResponse) else None
            emitter.emit(
                AttemptFinished(
                    call_id=self.call.call_id,
                    attempt=self.number,
                    target=self.state.target.name,
                    elapsed=monotonic() - self.started,
                    model=answer.model,
                    usage=answer.usage,
                    finish_reason=None if isinstance(answer, Embeddings) else answer.finish_reason,
                    request_id=answer.request_id,
                    response=chat if emitter.capture else None,
                    queued=self.queued,
                    first_event=self.first_event,
                    characters=0 if isinstance(answer, Embeddings) else answer.characters,
                )
            )

    def fail(self, error: Exception, usage: Usage | None = None, characters: int = 0) -> Outcome:
        """It failed with ``error``, which learns the target's name.

        ``usage`` is what it consumed all the same, ``characters`` how much text had come.
        """
        if isinstance(error, ProviderError) and error.target is None:
            error.target = self.state.target.name
        if self._end():
            self._judge(error)
            self._tell_failure(error, usage, characters)
        return self.outcome(error)

    def cancel(self, usage: Usage | None = None, characters: int = 0) -> None:
        """It was given up: a lost race, or a caller that left."""
        if self._end():
            self._tell_failure(None, usage, characters)

    def outcome(self, error: Exception | None = None, response: ChatResponse | None = None) -> Outcome:
        """The attempt as strategies and callers see it."""
        return Outcome(
            target=self.state.target,
            error=error,
            latency=monotonic() - self.started,
            first_event=self.first_event,
            response=response,
        )

    def _judge(self, error: Exception) -> None:
        health = self.state.health
        if is_ill(error) and self._reached:
            self._in_breaker = False
            health.failed(monotonic())
        elif isinstance(error, InvalidRequest):
            self._leave_breaker_well()

    def _leave_breaker_well(self) -> None:
        if self._in_breaker:
            self._in_breaker = False
            self.state.health.succeeded()

    def _end(self) -> bool:
        if self._ended:
            return False
        self._ended = True
        self.state.in_flight -= 1
        if self._holds_slot and self.state.instance.slots is not None:
            self.state.instance.slots.release()
        return True

    def _tell_failure(self, error: Exception | None, usage: Usage | None, characters: int) -> None:
        if self._in_breaker:
            self._in_breaker = False
            self.state.health.inconclusive()
        emitter = self.call.emitter
        if AttemptFailed in emitter.table:
            emitter.emit(
                AttemptFailed(
                    call_id=self.call.call_id,
                    attempt=self.number,
                    target=self.state.target.name,
                    elapsed=monotonic() - self.started,
                    error=error,
                    cancelled=error is None,
                    usage=usage or Usage(),
                    reached=self._reached,
                    queued=self.queued,
                    first_event=self.first_event,
                    characters=characters,
                )
            )
