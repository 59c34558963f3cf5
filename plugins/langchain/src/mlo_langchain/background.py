"""One event loop in a thread of its own, in which routers live whoever calls them.

LangChain's callers come from scripts, threads, notebooks and event loops that end while a connection is still open.
A loop that belongs to none of them outlives them all.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - the asynchronous half of LangChain is asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

__all__ = ["Background", "background"]

_CLOSING_SECONDS = 5.0


class Background:
    """The loop and its thread. The thread is a daemon: :meth:`stop` ends it in good order, as the interpreter exits."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._residents: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Event | None = None
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="mlo-langchain", daemon=True)
        self._thread.start()
        started.result()

    @property
    def thread_id(self) -> int:
        """The identity of the thread that the loop runs in."""
        return self._thread.ident or 0

    def adopt(self, life: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task that this loop waits for before it ends. To be called in the loop."""
        task = self.loop.create_task(life)
        self._residents.add(task)
        task.add_done_callback(self._residents.discard)
        return task

    def stop(self) -> None:
        """Let the residents leave, for a few seconds at most, and end the thread."""
        with suppress(RuntimeError):  # the loop is closed already
            self.loop.call_soon_threadsafe(self._ask_to_stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(2 * _CLOSING_SECONDS)

    def _run(self, started: Future[None]) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._serve(started))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        finally:
            self.loop.close()

    async def _serve(self, started: Future[None]) -> None:
        self._stopping = asyncio.Event()
        started.set_result(None)
        await self._stopping.wait()
        await _end(self._residents)
        this = asyncio.current_task()
        await _end({task for task in asyncio.all_tasks() if task is not this})

    def _ask_to_stop(self) -> None:
        if self._stopping is not None:
            self._stopping.set()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait for them, though not for ever."""
    pending = set(tasks)
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending, timeout=_CLOSING_SECONDS)


class _Keeper:
    """Starts the one background loop of this process when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: Background | None = None
        atexit.register(self.stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def current(self) -> Background:
        with self._lock:
            if self._current is None or self._current.loop.is_closed():
                self._current = Background()
            return self._current

    def stop(self) -> None:
        with self._lock:
            current, self._current = self._current, None
        if current is not None:
            current.stop()

    def _forget(self) -> None:
        # the thread did not come along into the child, and the lock may have been held by one that did not either
        self._lock = threading.Lock()
        self._current = None


_keeper = _Keeper()


def background() -> Background:
    """The loop of this process."""
    return _keeper.current()
