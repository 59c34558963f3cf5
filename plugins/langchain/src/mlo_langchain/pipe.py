"""From one event loop to a reader elsewhere, in batches and with back-pressure.

Waking another thread costs more than an event. So the writer hands over what has gathered when its loop gets to
breathe, and the reader takes all there is at once.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - the asynchronous half of LangChain is asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

import anyio
from attrs import frozen

__all__ = ["Pipe"]

T = TypeVar("T")
LIMIT = 256
"""So many items may wait for the reader, beside those that it has taken."""


@frozen
class _Batch(Generic[T]):
    items: list[T]
    ended: bool
    error: BaseException | None


class Pipe(Generic[T]):
    """One writer in ``loop``, one reader in any other thread or loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: int = LIMIT) -> None:
        self._loop = loop
        self._limit = limit
        self._fresh: list[T] = []  # the writer's own
        self._due = False
        self._lock = threading.Lock()  # guards what follows
        self._ready: list[T] = []
        self._wake: Callable[[], bool] | None = None
        self._room: asyncio.Future[None] | None = None
        self._ended = self._deserted = False
        self._error: BaseException | None = None

    async def put(self, item: T) -> None:
        """Hand over one item; waits while the reader is far behind.

        Raises:
            ClosedResourceError: when the reader's event loop has ended.
        """
        self._fresh.append(item)
        if not self._due:
            self._due = True
            self._loop.call_soon(self._flush)
        if len(self._fresh) + len(self._ready) >= self._limit:  # a glance; the lock decides below
            self._flush()
            await self._wait_for_room()
        if self._deserted:
            raise anyio.ClosedResourceError

    def end(self, error: BaseException | None = None) -> None:
        """No more items; the reader gets ``error`` after the last of them. Only the first end counts."""
        self._flush(ended=True, error=error)

    async def _wait_for_room(self) -> None:
        with self._lock:
            if len(self._ready) < self._limit or self._deserted:
                return
            room = self._room = self._loop.create_future()
        await room

    def _flush(self, *, ended: bool = False, error: BaseException | None = None) -> None:
        self._due = False
        fresh, self._fresh = self._fresh, []
        with self._lock:
            self._ready += fresh
            if ended and not self._ended:  # together with the last items, or a reader in between would miss them
                self._ended, self._error = True, error
            wake, self._wake = self._wake, None
        if wake is not None and not wake():
            self._deserted = True

    def _take(self, wake: Callable[[], bool] | None) -> _Batch[T] | None:
        """All there is; if there is nothing, ``None``, and ``wake`` is called once there is."""
        with self._lock:
            if not self._ready and not self._ended:
                self._wake = wake
                return None
            batch = _Batch(self._ready, self._ended, self._error)
            self._ready = []
            room, self._room = self._room, None
        if room is not None:
            with suppress(RuntimeError):  # the writer's loop is closed
                self._loop.call_soon_threadsafe(_settle, room)
        return batch

    def read(self) -> Generator[T, None, None]:
        """All items, for a reader without an event loop; blocks its thread."""
        there = threading.Event()
        while True:
            there.clear()
            batch = self._take(partial(_set, there))
            if batch is None:
                there.wait()
                continue
            yield from batch.items
            if batch.ended:
                return _finish(batch.error)

    async def read_async(self) -> AsyncGenerator[T, None]:
        """All items, for a reader in another event loop."""
        loop = asyncio.get_running_loop()
        while True:
            batch = self._take(None)
            if batch is None:
                there = loop.create_future()
                batch = self._take(partial(_notify, loop, there))
                if batch is None:
                    await there
                    continue
            for item in batch.items:
                yield item
            if batch.ended:
                _finish(batch.error)
                return


def _finish(error: BaseException | None) -> None:
    if error is not None:
        raise error


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _set(there: threading.Event) -> bool:
    there.set()
    return True


def _notify(loop: asyncio.AbstractEventLoop, there: asyncio.Future[None]) -> bool:
    """Wake a reader; false when its loop is closed."""
    try:
        loop.call_soon_threadsafe(_settle, there)
    except RuntimeError:
        return False
    return True
