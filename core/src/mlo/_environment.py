"""The kernel as components see it: other providers, whole routes, auth schemes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from ._components import Component
from ._instances import AuthChoice, Instance
from ._running import embed, generate
from .api import AuthScheme, CallContext, Provider
from .errors import ConfigError
from .events import Event
from .requests import ChatRequest, EmbeddingRequest
from .responses import ChatResponse, Embeddings
from .settings import ComponentSettings
from .stream import Stream

if TYPE_CHECKING:
    from ._kernel import Kernel

__all__ = ["ComponentEnvironment", "RouteProvider"]

_DEPTH_LIMIT = 16


class ComponentEnvironment:
    """What ``open`` gets. ``instance`` is ``None`` for components that are not providers and so may not wrap any.

    ``needs`` are the auth schemes that the component has asked for.
    """

    def __init__(
        self, kernel: Kernel, *, name: str, path: str, instance: Instance | None = None, auth: AuthChoice | None = None
    ) -> None:
        self._kernel = kernel
        self._instance = instance
        self._auth = auth
        self.needs: set[Component[Any]] = set()
        self.instance = name
        self.path = path

    async def provider(self, name: str, /) -> Provider:
        """See :meth:`mlo.api.Environment.provider`."""
        if self._instance is None:
            raise ConfigError(self.path, "only providers can wrap providers")
        wrapped = self._kernel.wiring.instance(name, self.path)
        return await self._kernel.open_for(self._instance, wrapped)

    async def auth(self, default: str | None = None, /) -> AuthScheme:
        """See :meth:`mlo.api.Environment.auth`."""
        wiring = self._kernel.wiring
        choice = self._auth
        if choice is None:
            if default is None:
                hint = 'add a table such as auth = { use = "bearer", token = "env:TOKEN" }'
                raise ConfigError(f"{self.path}.auth", "this provider needs an auth scheme", hint=hint)
            choice = wiring.choose_auth(ComponentSettings(use=default, path=f"{self.path}.auth"))
        surroundings = ComponentEnvironment(self._kernel, name=self.instance, path=f"{self.path}.auth")
        component = wiring.auth(choice, surroundings, surroundings.needs)
        self.needs.add(component)
        return await self._kernel.open_auth(component)


class RouteProvider:
    """A route in the shape of a provider, so that routes can be targets and can be wrapped."""

    def __init__(self, kernel: Kernel, route: str) -> None:
        self._kernel = kernel
        self._route = route

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        """Route the request."""
        wiring = self._kernel.wiring
        return await generate(wiring, wiring.plan(self._route), request, ctx.deadline, self._checked(ctx))

    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Event, None]:
        """Route the request and pass the events on."""
        wiring = self._kernel.wiring
        plan = wiring.plan(self._route)
        async with Stream(lambda: (wiring, plan, ctx.deadline), request, self._checked(ctx)) as stream:
            async for event in stream:
                yield event

    async def embed(self, request: EmbeddingRequest, ctx: CallContext, /) -> Embeddings:
        """Route the request."""
        wiring = self._kernel.wiring
        return await embed(wiring, wiring.plan(self._route), request, ctx.deadline, self._checked(ctx))

    def _checked(self, ctx: CallContext) -> CallContext:
        if ctx.depth >= _DEPTH_LIMIT:
            path = f"routes.{self._route}"
            raise ConfigError(path, "routes and the providers that wrap them call each other in a circle")
        return ctx
