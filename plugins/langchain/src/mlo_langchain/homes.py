"""Where a router is open, and the ways there from any thread and any event loop.

A router belongs to one event loop. A model holds a :class:`Home`: the router's loop, into which calls are sent and from
which answers come back. No call blocks a loop: the waiting side awaits a future of its own. Models over one router or
one configuration file share a home; it closes when the last of them is gone, when one is told to, or at exit.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - the asynchronous half of LangChain is asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Hashable
from concurrent.futures import Future, InvalidStateError
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import anyio.to_thread

from mlo.errors import MloError
from mlo.events import Event
from mlo.responses import ChatResponse
from mlo.router import Router
from mlo.stream import Stream

from .background import background
from .pipe import Pipe
from .residence import Guest, Lodger, Residence

__all__ = ["Home", "Streamed", "home_of", "path_text"]

T = TypeVar("T")
Streamed: TypeAlias = Event | ChatResponse
"""What a stream delivers: its events, and at the end the whole answer, which knows how it came about."""


class Home:
    """An open router, or one that opens with its first call, in an event loop."""

    def __init__(self, residence: Residence) -> None:
        self._residence = residence
        self._loop = residence.loop
        self._pid = os.getpid()
        self._leave = weakref.finalize(self, residence.leave)

    @property
    def usable(self) -> bool:
        """Whether calls may still be sent here: not after closing, the loop's end, or a fork."""
        return self._pid == os.getpid() and not self._loop.is_closed() and self._residence.usable

    def close(self) -> None:
        """Close the router and return at once; calls under way may fail. A router opened by others stays open."""
        self._leave()

    def call(self, ask: Callable[[Router], Awaitable[T]]) -> T:
        """What ``ask`` gets from the router. Blocks this thread.

        Raises:
            MloError: in the thread of the router's own loop, which would wait for itself.
        """
        self._check_thread()
        future = self._send(self._asked(ask))
        try:
            return future.result()
        except BaseException:  # also an interruption from the keyboard: nobody waits for the answer any more
            future.cancel()
            raise

    async def call_async(self, ask: Callable[[Router], Awaitable[T]]) -> T:
        """What ``ask`` gets from the router; cancelling the caller cancels the call."""
        if asyncio.get_running_loop() is self._loop:
            return await self._asked(ask)
        return await asyncio.wrap_future(self._send(self._asked(ask)))

    def stream(self, ask: Callable[[Router], Stream]) -> Generator[Streamed, None, None]:
        """The events of a stream and its whole answer. Closing the generator closes the stream.

        Raises:
            MloError: as in :meth:`call`.
        """
        self._check_thread()
        pipe: Pipe[Streamed] = Pipe(self._loop)
        pumping = self._send(self._pump(pipe, ask), partial(_end_of, pipe))
        try:
            yield from pipe.read()
        finally:
            pumping.cancel()

    async def stream_async(self, ask: Callable[[Router], Stream]) -> AsyncGenerator[Streamed, None]:
        """The events of a stream and its whole answer. Closing the generator closes the stream."""
        if asyncio.get_running_loop() is self._loop:
            async with ask(await self._residence.router()) as stream:
                async for event in stream:
                    yield event
            yield stream.response()
            return
        pipe: Pipe[Streamed] = Pipe(self._loop)
        pumping = self._send(self._pump(pipe, ask), partial(_end_of, pipe))
        try:
            async with aclosing(pipe.read_async()) as items:
                async for item in items:
                    yield item
        finally:
            pumping.cancel()

    async def _asked(self, ask: Callable[[Router], Awaitable[T]]) -> T:
        return await ask(await self._residence.router())

    async def _pump(self, pipe: Pipe[Streamed], ask: Callable[[Router], Stream]) -> None:
        async with ask(await self._residence.router()) as stream:
            async for event in stream:
                await pipe.put(event)
        await pipe.put(stream.response())
        pipe.end()  # now, in one batch with the last items; errors come from `_end_of`

    def _check_thread(self) -> None:
        if threading.get_ident() == self._residence.thread_id:
            raise MloError(
                "a blocking call in the thread of the router's own event loop would wait for itself: "
                "use ainvoke or astream here, or give the model a router that is not open"
            )

    def _send(self, asking: Coroutine[Any, Any, T], done: Callable[[Future[T]], None] | None = None) -> Future[T]:
        """Run a coroutine in the router's loop and ``done`` after it; cancelling the future cancels it."""
        future: Future[T] = Future()
        if done is not None:  # before the start: later it might run here instead of there
            future.add_done_callback(done)
        if self._loop.is_running():
            with suppress(RuntimeError):  # it has been closed just now
                self._loop.call_soon_threadsafe(_start, self._loop, asking, future)
                return future
        asking.close()
        raise MloError("the event loop that the router was opened in has ended: make a new model")


# asyncio.run_coroutine_threadsafe, at two thirds of its price
def _start(loop: asyncio.AbstractEventLoop, asking: Coroutine[Any, Any, T], future: Future[T]) -> None:
    if future.cancelled():
        asking.close()
        return
    task = loop.create_task(asking)
    task.add_done_callback(partial(_hand_over, future))
    future.add_done_callback(partial(_stop, loop, task))


def _hand_over(future: Future[T], task: asyncio.Task[T]) -> None:
    error = None if task.cancelled() else task.exception()
    with suppress(InvalidStateError):  # cancelled by the one who waited, at this very moment
        if task.cancelled():  # not by the one who waits, who must not look cancelled either
            future.set_exception(MloError("the router was closed while the call was under way"))
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(task.result())


def _end_of(pipe: Pipe[Any], pumping: Future[None]) -> None:
    """End the pipe however the pumping ended, even if it was cancelled before its first step."""
    if not pumping.cancelled():  # else the reader has left; we may be in its thread, where the pipe is not ours
        pipe.end(pumping.exception())


def _stop(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], future: Future[Any]) -> None:
    if future.cancelled():
        with suppress(RuntimeError):  # the loop is closed, and the task with it
            loop.call_soon_threadsafe(task.cancel)


_homes: weakref.WeakValueDictionary[Hashable, Home] = weakref.WeakValueDictionary()
# by router, also those that are on their way out: nobody may take their router for a guest's
_lodgers: weakref.WeakValueDictionary[int, Lodger] = weakref.WeakValueDictionary()
_lock = threading.Lock()


def _forget() -> None:
    global _lock  # noqa: PLW0603 - the lock may have been held by a thread that did not come along into the child
    _lock = threading.Lock()
    _homes.clear()
    _lodgers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def home_of(router: Router | None, config_file: str | os.PathLike[str] | None, profile: str | None) -> Home:
    """The home of a router, or of the router that a configuration file describes; shared by all who ask for the same.

    Raises:
        MloError: when the router was opened in another event loop than the running one.
    """
    if router is not None:
        key: Hashable = id(router)  # the home holds the router, so the number is not given away meanwhile
        return _shared(key, partial(_of_router, router))
    path = _path_of(config_file)
    return _shared((path, _version(path), profile), partial(_of_file, path, profile))


def path_text(path: object) -> object:
    """A path as text, which can be written down; anything else is left for a validator to refuse."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def _shared(key: Hashable, make: Callable[[], Home]) -> Home:
    with _lock:
        home = _homes.get(key)
        if home is None or not home.usable:
            home = _homes[key] = make()
        return home


def _of_router(router: Router) -> Home:
    before = _lodgers.get(id(router))
    if before is None and router.is_open:
        return Home(_guest(router))
    # no more than a weak reference to the one before, or all that ever were would hang on each other
    last = None if before is None else weakref.ref(before)
    lodger = _lodgers[id(router)] = Lodger(background(), partial(_vacated, router, last))
    return Home(lodger)


async def _vacated(router: Router, last: weakref.ref[Lodger] | None) -> Router:
    """The router, once the home that it had before has closed it."""
    lodger = None if last is None else last()
    if lodger is not None:
        await lodger.gone()
    return router


def _guest(router: Router) -> Guest:
    try:
        return Guest(router)
    except RuntimeError as error:
        raise MloError(
            "the router is open in an event loop that is not running here: make the model inside "
            "`async with router:`, or give it a router that is not open"
        ) from error


def _of_file(path: str | None, profile: str | None) -> Home:
    async def read() -> Router:
        return await anyio.to_thread.run_sync(partial(Router.from_file, path, profile=profile))

    return Home(Lodger(background(), read))


def _path_of(config_file: str | os.PathLike[str] | None) -> str | None:
    """The file that is meant now, so that a later change of folder does not matter; ``None`` if there is none."""
    chosen = config_file or os.environ.get("MLO_CONFIG") or "mlo.toml"
    path = Path(chosen).absolute()
    return str(path) if config_file or path.exists() else None


def _version(path: str | None) -> tuple[int, int] | None:
    """What tells a file from what it was before; ``None`` if it cannot be read, which opening it will explain."""
    if path is not None:
        with suppress(OSError):
            status = Path(path).stat()
            return status.st_mtime_ns, status.st_size
    return None
