"""The executor: rounds of a strategy's steps, each step one attempt or a race of several.

This is the only place that retries. A call goes on after a failure when another target may serve it (``failover``),
and starts
another round, after a pause, with the targets that may serve it later (``retryable``). It stops at once at a fatal
error.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncGenerator, Sequence
from inspect import isasyncgen
from time import monotonic
from types import GeneratorType
from typing import TypeVar

import anyio

from ._attempt import Attempt
from ._call import Call
from ._instances import TargetState
from ._operations import Accept, Operation
from .api import AsyncSteps, Steps
from .errors import (
    AnswerRejected,
    AttemptsExhausted,
    CallError,
    DeadlineExceeded,
    MloError,
    NoTarget,
    PluginFault,
    ProviderError,
    TransportFailed,
)
from .routing import Outcome, Step

__all__ = ["execute"]

T = TypeVar("T")


async def execute(call: Call, operation: Operation[T]) -> T:
    """The first success.

    Raises:
        CallRefused: when a gatekeeper refuses the call.
        NoTarget: when nobody is eligible.
        DeadlineExceeded: when the call's time runs out.
        AttemptsExhausted: when several attempts failed.
        ProviderError: the error itself when it is fatal, or when there was only one attempt.
    """
    if call.deadline is None:
        return await _admitted(call, operation)
    with anyio.CancelScope(deadline=call.deadline):
        return await _admitted(call, operation)
    raise _deadline_exceeded(call)


async def _admitted(call: Call, operation: Operation[T]) -> T:
    if call.emitter.gatekeepers:
        await call.admit()
    return await _rounds(call, operation)


async def _rounds(call: Call, operation: Operation[T]) -> T:
    plan = call.plan
    plan.budget.deposit()
    states = _eligible(call)
    for number in itertools.count(1):
        before = len(call.outcomes)
        result = await _round(call, operation, states)
        if result is not None:
            return result
        failed = call.outcomes[before:]
        pause = _pause(call, failed, number)
        if pause is None or plan.budget.is_spent:
            break
        await anyio.sleep(pause)
        states = [state for state in _retryable(states, failed) if plan.budget.withdraw()]
        if not states:
            break
    raise _exhausted(call, states)


def _eligible(call: Call) -> list[TargetState]:
    plan = call.plan
    rejected: dict[str, str] = {}
    needs = plan.needs_of(call.request)
    now = monotonic()
    eligible = []
    for state in plan.states(rejected):
        if not needs <= state.target.capabilities:
            missing = needs - state.target.capabilities
            rejected[state.target.name] = "lacks " + ", ".join(sorted(missing))
        elif state.breaker != "closed" and (wait := state.health.retry_in(now)):
            rejected[state.target.name] = f"circuit breaker open for another {wait:.1f} s after repeated failures"
        else:
            eligible.append(state)
    call.decided(eligible, rejected)
    if not eligible:
        raise _no_target(call, rejected)
    return eligible


async def _round(call: Call, operation: Operation[T], states: Sequence[TargetState]) -> T | None:
    by_name = {state.target.name: state for state in states}
    steps = _steps_of(call, states)
    limit = 4 * len(states) + 16
    outcomes: list[Outcome] | None = None
    try:
        while (step := await _advance(call, steps, outcomes)) is not None:
            limit -= 1
            if limit < 0:
                raise _misbehaved(call, "does not come to an end")
            chosen = _states_of(call, step, by_name)
            call.chose(step)
            stepped = await _step(call, operation, step, chosen)
            result, outcomes = stepped
            call.outcomes += outcomes
            if result is not None:
                await _teach(call, steps, outcomes, operation, result)
                return result
            _stop_if_fatal(call, outcomes)
    finally:
        if isasyncgen(steps):
            await steps.aclose()
        else:
            steps.close()  # type: ignore[union-attr]  # isasyncgen does not narrow the other branch
    return None


def _steps_of(call: Call, states: Sequence[TargetState]) -> Steps | AsyncSteps:
    strategy = call.plan.strategy
    try:
        steps = strategy.route(call.request, [state.target for state in states])
    except MloError:
        raise
    except Exception as error:
        raise _misbehaved(call, f"raised {type(error).__name__}: {error}") from error
    if not hasattr(steps, "send") and not hasattr(steps, "asend"):
        raise _misbehaved(call, f"gave {type(steps).__name__} instead of a generator of steps")
    return steps


async def _advance(call: Call, steps: Steps | AsyncSteps, outcomes: list[Outcome] | None) -> Step | None:
    try:
        if type(steps) is GeneratorType or not isinstance(steps, AsyncGenerator):  # the first is quick, and usual
            return next(steps) if outcomes is None else steps.send(outcomes)
        return await (anext(steps) if outcomes is None else steps.asend(outcomes))
    except (StopIteration, StopAsyncIteration):
        return None
    except MloError:
        raise
    except Exception as error:
        raise _misbehaved(call, f"raised {type(error).__name__}: {error}") from error


async def _teach(
    call: Call, steps: Steps | AsyncSteps, outcomes: list[Outcome], operation: Operation[T], result: T
) -> None:
    """Let the strategy learn from the success; what it would try next does not matter any more."""
    try:
        await _advance(call, steps, outcomes)
    except BaseException:
        await operation.discard(result)
        raise


def _states_of(call: Call, step: Step, by_name: dict[str, TargetState]) -> list[TargetState]:
    if not isinstance(step, Step):
        raise _misbehaved(call, f"proposed {type(step).__name__} instead of a Step")
    try:
        states = [by_name[target.name] for target in step.targets]
    except KeyError as error:
        raise _misbehaved(call, f"proposed {error.args[0]!r}, which is not among the targets it was given") from None
    if not states:
        raise _misbehaved(call, "proposed a step without targets")
    return states


async def _step(
    call: Call, operation: Operation[T], step: Step, states: list[TargetState]
) -> tuple[T | None, list[Outcome]]:
    if step.wait > 0:
        await anyio.sleep(step.wait)
    if len(states) == 1:
        tried = await _try(call, operation, states[0], step.accept)
        return tried[0], [tried[1]]
    return await _race(call, operation, step, states)


async def _race(
    call: Call, operation: Operation[T], step: Step, states: list[TargetState]
) -> tuple[T | None, list[Outcome]]:
    outcomes: list[Outcome] = []
    winners: list[T] = []
    news = anyio.Event()

    async def contend(state: TargetState) -> None:
        if tasks.cancel_scope.cancel_called:
            return  # on asyncio a task takes its first step even when the race is over
        tried = await _try(call, operation, state, step.accept)
        result, outcome = tried
        if winners:  # finished in the same moment as the winner
            if result is not None:
                await operation.discard(result)
            return
        outcomes.append(outcome)
        if result is not None:
            winners.append(result)
            tasks.cancel_scope.cancel()
        elif _is_fatal(call, outcome):
            tasks.cancel_scope.cancel()
        news.set()

    try:
        async with anyio.create_task_group() as tasks:
            for state in states:
                tasks.start_soon(contend, state)
                with anyio.move_on_after(max(0.0, step.stagger)):  # in this order, NaN is 0
                    await news.wait()
                news = anyio.Event()
    except BaseException:
        for winner in winners:
            await operation.discard(winner)
        raise
    return (winners[0] if winners else None), outcomes


async def _try(call: Call, operation: Operation[T], state: TargetState, accept: Accept) -> tuple[T | None, Outcome]:
    attempt = Attempt(call, state)
    try:
        result = await _perform(operation, attempt, accept)
    except AnswerRejected as error:
        return None, attempt.fail(error)
    except MloError as error:
        return None, attempt.fail(error)
    except Exception as error:  # noqa: BLE001 - a border: a bug in a plugin must not take the call down with it
        fault = PluginFault(f"the provider plugin raised {type(error).__name__}: {error} (a bug in the plugin)")
        fault.__cause__ = error
        return None, attempt.fail(fault)
    except BaseException:
        attempt.cancel()
        raise
    return result, attempt.outcome(response=operation.response(result))


async def _perform(operation: Operation[T], attempt: Attempt, accept: Accept) -> T:
    timeout = attempt.call.plan.attempt_timeout
    if timeout is None:
        return await operation.perform(attempt, accept)
    with anyio.CancelScope(deadline=anyio.current_time() + timeout):
        return await operation.perform(attempt, accept)
    raise TransportFailed(
        f"no answer within the {timeout:g} s that the route allows an attempt", code="attempt-timeout"
    )


def _is_fatal(call: Call, outcome: Outcome) -> bool:
    error = outcome.error
    if not isinstance(error, ProviderError):
        return False
    return not (error.failover or isinstance(error, call.plan.failover_on))


def _stop_if_fatal(call: Call, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.error is not None and _is_fatal(call, outcome):
            for earlier in call.outcomes:
                if earlier.error is not None and earlier is not outcome:
                    outcome.error.add_note(f"an earlier attempt failed, too: {earlier.error}")
            raise outcome.error


def _retryable(states: Sequence[TargetState], failed: Sequence[Outcome]) -> list[TargetState]:
    names = {outcome.target.name for outcome in failed if _may_serve_later(outcome.error)}
    now = monotonic()
    return [state for state in states if state.target.name in names and not state.health.retry_in(now)]


def _may_serve_later(error: Exception | None) -> bool:
    return isinstance(error, ProviderError) and error.retryable


def _pause(call: Call, failed: Sequence[Outcome], number: int) -> float | None:
    """Seconds until the next round (full jitter, but not before ``Retry-After``); ``None`` when there is to be none."""
    retry = call.plan.retry
    errors = [
        outcome.error for outcome in failed if isinstance(outcome.error, ProviderError) and outcome.error.retryable
    ]
    if number >= retry.rounds or not errors:
        return None
    asked = min(max(0.0, error.retry_after or 0.0) for error in errors)  # in this order, NaN is 0
    if asked > retry.cap:
        return None
    jitter = random.uniform(0.0, min(retry.cap, retry.base * 2.0 ** (number - 1)))  # noqa: S311 - not for secrets
    pause = max(asked, jitter)
    if call.deadline is not None and anyio.current_time() + pause >= call.deadline:
        return None
    return pause


def _misbehaved(call: Call, reason: str) -> CallError:
    message = f"strategy {call.plan.strategy_name!r} of route {call.plan.name!r} {reason}: a bug in the strategy"
    return CallError(message, call_id=call.call_id)


def _no_target(call: Call, rejected: dict[str, str]) -> MloError:
    unusable = call.plan.unusable
    if len(unusable) == len(rejected) == 1:
        # The same error at every call: without this, its traceback would grow by each.
        return next(iter(unusable.values())).with_traceback(None)
    listed = "; ".join(f"{name}: {reason}" for name, reason in rejected.items()) or "it has no targets"
    message = f"no target of route {call.plan.name!r} can take this request: {listed}"
    return NoTarget(message, reasons=rejected, call_id=call.call_id)


def _listed(outcomes: Sequence[Outcome]) -> str:
    return "; ".join(f"({number}) {outcome.error}" for number, outcome in enumerate(outcomes, 1))


def _deadline_exceeded(call: Call) -> DeadlineExceeded:
    tried = f"; attempts so far: {_listed(call.outcomes)}" if call.outcomes else ""
    message = f"no answer from route {call.plan.name!r} within the deadline{tried}"
    return DeadlineExceeded(message, call_id=call.call_id, outcomes=call.outcomes)


def _exhausted(call: Call, states: Sequence[TargetState]) -> Exception:
    outcomes = call.outcomes
    if not outcomes:
        names = [state.target.name for state in states]
        message = f"strategy {call.plan.strategy_name!r} of route {call.plan.name!r} chose none of: {', '.join(names)}"
        return NoTarget(message, reasons=dict.fromkeys(names, "not chosen by the strategy"), call_id=call.call_id)
    last = outcomes[-1].error
    if len(outcomes) == 1 and last is not None:
        return last
    message = f"all {len(outcomes)} attempts of route {call.plan.name!r} failed: {_listed(outcomes)}"
    error = AttemptsExhausted(message, outcomes=outcomes, call_id=call.call_id)
    error.__cause__ = last
    return error
