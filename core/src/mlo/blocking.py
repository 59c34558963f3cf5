"""The same façade for callers without an event loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from os import PathLike
from types import TracebackType
from typing import Any, Self, Unpack

from anyio.from_thread import BlockingPortal, start_blocking_portal

from .api import Provider, Strategy
from .errors import MloError
from .events import Event
from .models import ModelInfo
from .requests import EmbeddingRequest, Prompt, RequestFields
from .responses import ChatResponse, Embeddings, Health
from .router import Router
from .settings import Settings
from .stream import Stream

__all__ = ["BlockingRouter", "BlockingStream"]


class BlockingStream:
    """A :class:`~mlo.stream.Stream` for ``for``. Use it in a ``with`` block, and from one thread at a time."""

    def __init__(self, portal: BlockingPortal, stream: Stream) -> None:
        self._portal = portal
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
        self._portal.call(self._stream.cancel)

    def close(self) -> None:
        """Stop reading."""
        self._portal.call(self._stream.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self._portal.call(self._next)
        if event is None:
            raise StopIteration
        return event

    async def _next(self) -> Event | None:
        return await anext(self._stream, None)


class BlockingRouter:
    """A :class:`~mlo.router.Router` with an event loop in a thread of its own; safe to share between threads.

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
        self._portal: BlockingPortal | None = None
        self._stack = ExitStack()

    @classmethod
    def from_file(cls, path: str | PathLike[str] | None = None, *, profile: str | None = None) -> Self:
        """See :meth:`mlo.router.Router.from_file`."""
        blocking = cls()
        blocking._router = Router.from_file(path, profile=profile)
        return blocking

    def __enter__(self) -> Self:
        if self._portal is not None:
            raise MloError("this router is open already")
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())
            opened: AbstractContextManager[Router] = portal.wrap_async_context_manager(self._router)
            stack.enter_context(opened)
            self._stack = stack.pop_all()
        self._portal = portal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._portal = None
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
        portal = self._open()
        return BlockingStream(portal, portal.call(ask))

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
        return self._open().call(self._router.models, provider)

    def health(self, provider: str | None = None) -> Mapping[str, Health]:
        """See :meth:`mlo.router.Router.health`."""
        return self._open().call(self._router.health, provider)

    def reload(self, settings: Settings | None = None) -> None:
        """See :meth:`mlo.router.Router.reload`."""
        self._open().call(self._router.reload, settings)

    def _in_loop(self, change: partial[None]) -> None:
        if self._portal is None:
            change()
        else:
            self._portal.call(change)

    def _open(self) -> BlockingPortal:
        if self._portal is None:
            raise MloError("the router is not open: use it inside `with router:`")
        return self._portal
