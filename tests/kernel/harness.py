"""A router over scripted providers, with an observer in place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from attrs import frozen

from mlo import Router, _builtin, hookimpl
from mlo._registry import PluginRegistry
from mlo.api import Environment, Observer, ObserverSpec
from mlo.settings import ComponentSettings, Settings
from tests.kernel.scripted import Recorder, Scripted


@frozen
class _NoOptions:
    pass


class RecorderPlugin:
    """Offers one ready observer under the id ``recorder``."""

    def __init__(self, recorder: Observer) -> None:
        self._recorder = recorder

    @hookimpl
    def mlo_observers(self) -> Iterable[ObserverSpec[Any]]:
        return [ObserverSpec(name="recorder", config=_NoOptions, open=self._open)]

    def _open(self, _config: object, _env: Environment) -> AbstractAsyncContextManager[Observer]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Observer]:
            yield self._recorder

        return opened()


OBSERVED = {"recorder": ComponentSettings(use="recorder")}


@asynccontextmanager
async def routing(
    *providers: Scripted, recorder: Observer | None = None, settings: Settings | None = None, **route: Any
) -> AsyncIterator[Router]:
    """A router with the route ``r`` over all ``providers``; ``route`` are its further settings."""
    recorder = Recorder() if recorder is None else recorder
    settings = settings or Settings(observers=OBSERVED)
    # No scan of the installation: it costs more than a whole call here.
    registry = PluginRegistry(candidates=())
    async with Router(settings, plugins=[_builtin, RecorderPlugin(recorder)], registry=registry) as router:
        for provider in providers:
            router.add_provider(provider.name, provider)
        router.add_route("r", [provider.name for provider in providers], **route)
        yield router
