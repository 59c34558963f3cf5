"""The same façade for callers without an event loop."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from os import PathLike
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from weakref import WeakSet

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from .api import Observer, Provider, Strategy
from .errors import MloError
from .events import Event
from .models import ModelInfo
from .requests import EmbeddingRequest, Prompt, RequestFields
from .responses import ChatResponse, Embeddings, Health
from .router import Router
from .settings import Settings
from .status import TargetStatus
from .stream import Stream

__all__ = ["BlockingRouter", "BlockingStream"]


T = TypeVar("T")


class _Loop:
    """The event loop in its thread, as other threads see it, and the streams that were begun in it."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal
        self._process = os.getpid()
        self._streams: WeakSet[Stream] = WeakSet()
        self.open = True

    @property
    def is_inherited(self) -> bool:
        """Whether this process is a fork of the one that has the thread."""
        return os.getpid() != self._process

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run ``function`` in the loop and wait for its result.

        Raises:
            MloError: when the loop is gone, or goes meanwhile.
        """
        if self.is_inherited:
            raise MloError("the router was opened in another process: open one in this process, after the fork")
        if not self.open:
            raise _not_open()
        try:
            return self._portal.call(function)
        except CancelledError as error:
            raise MloError("the router was closed while this call was under way") from error

    def apply(self, function: Callable[[], T]) -> T:
        """The same for a function that does not wait."""

        async def run() -> T:
            return function()

        return self.call(run)

    def stream(self, begin: Callable[[], Stream]) -> BlockingStream:
        """A stream that does not outlive the loop."""
        stream = self.apply(begin)
        self._streams.add(stream)
        return BlockingStream(self, stream)

    def end_streams(self) -> None:
        """Close the streams that are still open: their readers get ``CallCancelled``."""
        self._portal.call(self._end_streams)

    async def _end_streams(self) -> None:
        async with anyio.create_task_group() as tasks:
            for stream in list(self._streams):
                tasks.start_soon(stream.aclose)

    def end_calls(self) -> None:
        """Cancel what is under way, and let the loop end."""
        self._portal.call(partial(self._portal.stop, cancel_remaining=True))


def _not_open() -> MloError:
    return MloError("the router is not open: use it inside `with router:`")


class BlockingStream:
    """A :class:`~mlo.stream.Stream` for ``for``. Use it in a ``with`` block, and from one thread at a time."""

    def __init__(self, loop: _Loop, stream: Stream) -> None:
        self._loop = loop
        self._stream = stream

    @property
    def target(self) -> str | None:
        """Who answers, once that is settled."""
        return self._stream.target

    def response(self) -> ChatResponse:
        """The answer as far as it was read."""
        return self._stream.response()

    def cancel(self) -> None:
        """Stop; may be called from any thread."""
        if self._loop.open:
            self._loop.call(self._stream.cancel)

    def close(self) -> None:
        """Stop reading. The end of the router has done so already."""
        if self._loop.open:
            self._loop.call(self._stream.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self._loop.call(self._next)
        if event is None:
            raise StopIteration
        return event

    async def _next(self) -> Event | None:
        return await anext(self._stream, None)


class BlockingRouter:
    """A :class:`~mlo.router.Router` with an event loop in a thread of its own; safe to share between threads.

    Leaving the block ends what other threads have under way. A forked process needs a router of its own.

    ::

        with BlockingRouter() as router:
            router.add_provider("mock")
            print(router.route("Привет").text)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        strategy: str | Strategy = "first-available",
        plugins: Iterable[object] = (),
    ) -> None:
        self._router = Router(settings, strategy=strategy, plugins=plugins)
        self._loop: _Loop | None = None
        self._stack = ExitStack()

    @classmethod
    def from_file(cls, path: str | PathLike[str] | None = None, *, profile: str | None = None) -> Self:
        """See :meth:`mlo.router.Router.from_file`."""
        blocking = cls()
        blocking._router = Router.from_file(path, profile=profile)
        return blocking

    def __enter__(self) -> Self:
        if self._loop is not None:
            raise MloError("this router is open already")
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())
            loop = _Loop(portal)
            stack.callback(loop.end_calls)
            opened: AbstractContextManager[Router] = portal.wrap_async_context_manager(self._router)
            stack.enter_context(opened)
            stack.callback(loop.end_streams)
            self._stack = stack.pop_all()
        self._loop = loop
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop, self._loop = self._loop, None
        if loop is None or loop.is_inherited:
            return  # the thread that could close anything is in the other process
        loop.open = False
        self._stack.__exit__(kind, error, trace)

    def add_provider(self, name: str, provider: Provider | None = None, /, **options: Any) -> None:
        """See :meth:`mlo.router.Router.add_provider`."""
        self._in_loop(partial(self._router.add_provider, name, provider, **options))

    def add_route(self, name: str, targets: Iterable[str], **options: Any) -> None:
        """See :meth:`mlo.router.Router.add_route`."""
        self._in_loop(partial(self._router.add_route, name, targets, **options))

    def route(
        self,
        prompt: Prompt,
        *,
        route: str | None = None,
        target: str | None = None,
        model: str | None = None,
        deadline: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> ChatResponse:
        """See :meth:`mlo.router.Router.route`."""
        ask = partial(self._router.route, prompt, route=route, target=target, model=model, deadline=deadline, **fields)
        return self._open().call(ask)

    def route_stream(
        self,
        prompt: Prompt,
        *,
        route: str | None = None,
        target: str | None = None,
        model: str | None = None,
        deadline: float | None = None,
        **fields: Unpack[RequestFields],
    ) -> BlockingStream:
        """See :meth:`mlo.router.Router.route_stream`."""
        ask = partial(
            self._router.route_stream, prompt, route=route, target=target, model=model, deadline=deadline, **fields
        )
        return self._open().stream(ask)

    def embed(
        self,
        texts: str | Iterable[str] | EmbeddingRequest,
        *,
        route: str | None = None,
        target: str | None = None,
        model: str | None = None,
        deadline: float | None = None,
    ) -> Embeddings:
        """See :meth:`mlo.router.Router.embed`."""
        ask = partial(self._router.embed, texts, route=route, target=target, model=model, deadline=deadline)
        return self._open().call(ask)

    def models(self, provider: str | None = None) -> Mapping[str, tuple[ModelInfo, ...] | MloError]:
        """See :meth:`mlo.router.Router.models`."""
        return self._open().call(partial(self._router.models, provider))

    def health(self, provider: str | None = None) -> Mapping[str, Health]:
        """See :meth:`mlo.router.Router.health`."""
        return self._open().call(partial(self._router.health, provider))

    def targets(self) -> tuple[TargetStatus, ...]:
        """See :meth:`mlo.router.Router.targets`."""
        return self._open().apply(self._router.targets)

    def hint(self, target: str, *, open_for: float) -> bool:
        """See :meth:`mlo.router.Router.hint`."""
        return self._open().apply(partial(self._router.hint, target, open_for=open_for))

    def observer(self, name: str) -> Observer:
        """See :meth:`mlo.router.Router.observer`. It lives in the router's thread."""
        return self._open().call(partial(self._router.observer, name))

    def reload(self, settings: Settings | None = None) -> None:
        """See :meth:`mlo.router.Router.reload`."""
        self._open().call(partial(self._router.reload, settings))

    def _in_loop(self, change: partial[None]) -> None:
        if self._loop is None:
            change()
        else:
            self._loop.apply(change)

    def _open(self) -> _Loop:
        if self._loop is None:
            raise _not_open()
        return self._loop
