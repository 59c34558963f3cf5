"""Components: providers, auth schemes and observers while they are open.

Each one lives in a task of its own, which enters and leaves its context manager. So callers that come and go can
share it, it may own background tasks, and it closes in the task that opened it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup, TaskStatus

from .errors import ConfigError, MloError, PluginFault
from .tracing import NO_HEADERS, outgoing

__all__ = ["Component", "ComponentHost"]

T = TypeVar("T")
_CLOSE_TIMEOUT = 10.0
_log = logging.getLogger("mlo")


class Component(Generic[T]):
    """Something that opens when first needed. ``value`` is ``None`` until then.

    ``needs`` are the auth schemes that it uses: they stay while it stays.
    """

    __slots__ = ("_closed", "_lock", "_open", "_scope", "_stop", "name", "needs", "value")

    def __init__(
        self,
        name: str,
        open_: Callable[[], AbstractAsyncContextManager[T]],
        needs: AbstractSet[Component[Any]] = frozenset(),
    ) -> None:
        self.name = name
        self.needs = needs
        self.value: T | None = None
        self._open = open_
        self._lock = anyio.Lock()
        self._scope: anyio.CancelScope | None = None
        self._stop: anyio.Event | None = None
        self._closed: anyio.Event | None = None

    async def get(self, host: ComponentHost) -> T:
        """The open component.

        Many first callers at a time open it once; when opening fails, the next caller tries again.

        Raises:
            MloError: in another event loop than the host's.
        """
        host.check_loop()
        async with self._lock:
            if self.value is None:
                await host.start(self)
        assert self.value is not None  # noqa: S101 - for the type checker: start() either sets it or raises
        return self.value

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Hold the component open until :meth:`close`; this is the body of its task."""
        outgoing.set(NO_HEADERS)  # it outlives the attempt that opens it, and so does what it starts
        stop, closed = anyio.Event(), anyio.Event()
        try:
            with anyio.CancelScope() as scope:
                async with self._open() as value:
                    self._check(value)
                    task_status.started()
                    # Whoever asked may have been cancelled meanwhile; then this task must end, shield or not.
                    await anyio.lowlevel.checkpoint_if_cancelled()
                    # From here on only close() ends it: not the cancellation of whatever surrounds the router.
                    scope.shield = True
                    self.value, self._stop, self._scope, self._closed = value, stop, scope, closed
                    await stop.wait()
        except Exception:
            if self._closed is not closed:
                raise  # it never opened: the error belongs to the caller of get()
            _log.warning("component %r failed while closing", self.name, exc_info=True)
        finally:
            if self._closed is closed:
                self.value = None
            closed.set()

    def _check(self, value: T) -> None:
        if value is None:  # which stands for "not open": nobody could close it
            raise PluginFault(f"{self.name} cannot open: its plugin gave None (a bug in the plugin)")

    async def close(self) -> None:
        """Close it if it is open, and wait until it is, but not for ever."""
        if self.value is None or self._stop is None or self._scope is None or self._closed is None:
            return
        self._scope.deadline = anyio.current_time() + _CLOSE_TIMEOUT
        self._stop.set()
        await self._closed.wait()


class ComponentHost:
    """The task group in which components live, and who waits for whom while opening."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._loop = anyio.lowlevel.current_token()
        self._opened: list[Component[Any]] = []
        self._waits: dict[str, str] = {}

    def check_loop(self) -> None:
        """Make sure that this is the event loop in which the router was entered: elsewhere opening would never end.

        Raises:
            MloError: when it is another one.
        """
        if anyio.lowlevel.current_token() != self._loop:
            raise MloError("a router belongs to the event loop in which it was entered: use a BlockingRouter elsewhere")

    async def start(self, component: Component[T]) -> None:
        """Open ``component`` in a task of its own.

        Raises:
            MloError: what it raises itself.
            PluginFault: when it raises anything else.
        """
        try:
            await self._tasks.start(component.run)
        except MloError:
            raise
        except Exception as error:
            reason = f"{component.name} cannot open: {type(error).__name__}: {error} (a bug in the plugin)"
            raise PluginFault(reason) from error
        if component in self._opened:  # it had ended by itself
            self._opened.remove(component)
        self._opened.append(component)

    async def get_for(self, waiter: str, path: str, component: Component[T]) -> T:
        """Open ``component`` on behalf of ``waiter``, which is itself being opened.

        Raises:
            ConfigError: when that would make the two wait for each other.
        """
        if component.value is not None:
            return component.value
        chain = [waiter, component.name]
        while (following := self._waits.get(chain[-1])) is not None and following not in chain:
            chain.append(following)
        if chain[0] == chain[1] or following == waiter:
            cycle = " -> ".join([*chain, waiter])
            raise ConfigError(path, f"providers wrap each other in a circle: {cycle}", hint="remove one of the links")
        self._waits[waiter] = component.name
        try:
            return await component.get(self)
        finally:
            self._waits.pop(waiter, None)

    async def close(self, components: AbstractSet[Component[Any]] | None = None) -> None:
        """Close ``components`` (default: all), the last opened first: wrappers close before what they wrap."""
        for component in reversed(self._opened.copy()):
            if components is None or component in components:
                await component.close()
                if component in self._opened:  # the router's end and a reload's may close it at the same time
                    self._opened.remove(component)
