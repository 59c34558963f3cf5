"""Questions about everything at once: which models, how are you, how are the targets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TypeVar

import anyio
import attrs

from ._kernel import Kernel
from ._routes import ROUTE_PREFIX, parse_target
from ._wiring import Wiring
from .api import HealthChecker, ModelLister
from .errors import MloError, PluginFault, TransportFailed, Unsupported
from .models import ModelInfo
from .responses import Health
from .status import TargetStatus

__all__ = ["give_hint", "healths_of", "models_of", "statuses_of"]

A = TypeVar("A")
_TIMEOUT = 15.0


async def models_of(kernel: Kernel, names: Iterable[str]) -> dict[str, tuple[ModelInfo, ...] | MloError]:
    """The models of each provider, or why they are not known."""

    async def ask(name: str) -> tuple[ModelInfo, ...] | MloError:
        try:
            provider = await kernel.open(kernel.wiring.instance(name, "provider"))
            if not isinstance(provider, ModelLister):
                return Unsupported("does not list its models", target=name)
            return await _in_time(lambda: _models(name, provider))
        except MloError as error:
            return error

    return await _ask_all(names, ask)


async def healths_of(kernel: Kernel, names: Iterable[str]) -> dict[str, Health]:
    """The health of each provider."""

    async def ask(name: str) -> Health:
        started = monotonic()
        try:
            provider = await kernel.open(kernel.wiring.instance(name, "provider"))
            if not isinstance(provider, HealthChecker):
                return Health(healthy=None, detail="offers no health check")
            health = await _in_time(lambda: _health(provider))
        except MloError as error:
            return Health(healthy=False, detail=str(error), latency=monotonic() - started)
        kernel.wiring.note_load(name, health.load)
        return attrs.evolve(health, latency=monotonic() - started) if health.latency is None else health

    return await _ask_all(names, ask)


def statuses_of(wiring: Wiring) -> tuple[TargetStatus, ...]:
    """How each target is. Loads the plugins of targets that nobody has used yet; opens nothing."""
    now = monotonic()
    return tuple(_status(wiring, name, now) for name in wiring.target_names())


def _status(wiring: Wiring, name: str, now: float) -> TargetStatus:
    try:
        state = wiring.state(name)
    except MloError as error:
        provider, model = (name, None) if name.startswith(ROUTE_PREFIX) else parse_target(name)
        return TargetStatus(name=name, provider=provider, model=model, unusable=str(error))
    slots, target = state.instance.slots, state.target
    return TargetStatus(
        name=name,
        provider=target.provider,
        model=target.model,
        plugin=state.plugin,
        breaker=state.breaker,
        retry_in=state.health.retry_in(now),
        in_flight=state.in_flight,
        slots=None if slots is None else slots.limit,
        free_slots=None if slots is None else max(0, slots.free),
        load=state.load,
        capabilities=target.capabilities,
        residency=target.residency,
        price=target.price,
        labels=target.labels,
    )


def give_hint(wiring: Wiring, target: str, open_for: float) -> bool:
    """Tell a target's circuit breaker what somebody else has found out; ``False`` if there is no such target here."""
    if target not in wiring.target_names():
        return False
    try:
        state = wiring.state(target)
    except MloError:
        return False
    state.health.hint(monotonic(), open_for)
    return True


async def _in_time(question: Callable[[], Awaitable[A]]) -> A:
    with anyio.move_on_after(_TIMEOUT):
        try:
            return await question()
        except MloError:
            raise
        except Exception as error:
            # A bug in one plugin must not take the answers of the others along.
            reason = f"the provider plugin raised {type(error).__name__}: {error} (a bug in the plugin)"
            raise PluginFault(reason) from error
    raise TransportFailed(f"no answer within {_TIMEOUT:g} s")


async def _models(name: str, provider: ModelLister) -> tuple[ModelInfo, ...]:
    return tuple(attrs.evolve(model, provider=name) for model in await provider.models())


async def _health(provider: HealthChecker) -> Health:
    health = await provider.health()
    if not isinstance(health, Health):
        raise PluginFault(f"health() gave {type(health).__name__} instead of Health (a bug in the plugin)")
    return health


async def _ask_all(names: Iterable[str], ask: Callable[[str], Awaitable[A]]) -> dict[str, A]:
    names = list(names)
    answers: dict[str, A] = {}

    async def put(name: str) -> None:
        answers[name] = await ask(name)

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(put, name)
    return {name: answers[name] for name in names}
