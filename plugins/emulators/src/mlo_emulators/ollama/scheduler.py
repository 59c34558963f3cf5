"""Loading, queueing and unloading of models, as the server schedules them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic

import anyio
from attrs import define, field

from mlo_emulators.journal import Journal

from .catalogue import Model
from .options import Options
from .wire import Refused

__all__ = ["Loaded", "Scheduler"]

_BUSY = "server busy, please try again.  maximum pending requests exceeded"


@define
class Loaded:
    """A model in memory; ``settings`` are the options whose change forces a reload."""

    model: Model
    settings: tuple[object, ...]
    num_ctx: int
    slots: anyio.Semaphore
    expires_at: float = 0.0
    active: int = 0
    keep_alive: float = field(default=0.0)


class Scheduler:
    """Which models are loaded, and who waits for one.

    Counters in the journal: ``loads``, ``reloads`` (with other settings than before), ``evictions``.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._loaded: dict[str, Loaded] = {}
        self._lock: anyio.Lock | None = None
        self._change: anyio.Event | None = None
        self._pending = 0

    def running(self) -> tuple[Loaded, ...]:
        """The models that are loaded now."""
        now = monotonic()
        for name in [name for name, each in self._loaded.items() if not each.active and each.expires_at <= now]:
            del self._loaded[name]
        return tuple(self._loaded.values())

    def unload(self, model: Model) -> None:
        """Forget a model."""
        self._loaded.pop(model.name, None)

    @asynccontextmanager
    async def using(
        self, model: Model, settings: tuple[object, ...], num_ctx: int, keep_alive: float, options: Options
    ) -> AsyncGenerator[float, None]:
        """Hold a slot of a loaded model; gives the seconds that loading took.

        Raises:
            Refused: 503 when too many wait to be scheduled, 500 when loading fails.
        """
        loaded, seconds = await self._scheduled(model, settings, num_ctx, options)
        loaded.active += 1
        try:
            async with loaded.slots:
                yield seconds
        finally:
            loaded.active -= 1
            if self._change is not None:
                self._change.set()
                self._change = None
            loaded.keep_alive = keep_alive
            loaded.expires_at = monotonic() + keep_alive
            if keep_alive == 0 and not loaded.active:
                self._loaded.pop(model.name, None)

    async def _scheduled(
        self, model: Model, settings: tuple[object, ...], num_ctx: int, options: Options
    ) -> tuple[Loaded, float]:
        ready = self._ready(model, settings)
        if ready is not None:
            return ready, 0.0
        if self._pending >= options.max_queue:
            raise Refused(503, _BUSY)
        self._lock = self._lock or anyio.Lock()  # a lock belongs to the loop of its first use
        self._pending += 1
        try:
            async with self._lock:
                ready = self._ready(model, settings)
                return (ready, 0.0) if ready else await self._load(model, settings, num_ctx, options)
        finally:
            self._pending -= 1

    def _ready(self, model: Model, settings: tuple[object, ...]) -> Loaded | None:
        self.running()
        loaded = self._loaded.get(model.name)
        return loaded if loaded is not None and loaded.settings == settings else None

    async def _load(
        self, model: Model, settings: tuple[object, ...], num_ctx: int, options: Options
    ) -> tuple[Loaded, float]:
        before = self._loaded.get(model.name)
        while before is not None and before.active:
            await self._freed()
        self._journal.count("reloads" if before is not None else "loads")
        await self._make_room(model, options)
        started = monotonic()
        if options.load_time:
            await anyio.sleep(options.load_time)
        if options.load_fails:
            raise Refused(500, "model requires more system memory (9.9 GiB) than is available (1.0 GiB)")
        loaded = Loaded(model=model, settings=settings, num_ctx=num_ctx, slots=anyio.Semaphore(options.parallel))
        loaded.expires_at = started + options.load_time + options.keep_alive
        self._loaded[model.name] = loaded
        return loaded, monotonic() - started

    async def _make_room(self, model: Model, options: Options) -> None:
        self._loaded.pop(model.name, None)
        while len(self._loaded) >= options.max_loaded:
            idle = [each for each in self._loaded.values() if not each.active]
            if idle:
                oldest = min(idle, key=lambda each: each.expires_at)
                del self._loaded[oldest.model.name]
                self._journal.count("evictions")
            else:
                await self._freed()

    async def _freed(self) -> None:
        """Wait until some request ends."""
        self._change = self._change or anyio.Event()
        await self._change.wait()
