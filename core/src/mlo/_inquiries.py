"""Questions to all providers at once: which models, how are you."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TypeVar

import anyio
import attrs

from ._kernel import Kernel
from .api import HealthChecker, ModelLister
from .errors import MloError, PluginFault, TransportFailed, Unsupported
from .models import ModelInfo
from .responses import Health

__all__ = ["healths_of", "models_of"]

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
