"""The routes of an emulated Ollama server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mlo_emulators.journal import Journal, Recording

from . import model_routes, store_routes
from .door import Door
from .openai_side import error_body
from .options import Options
from .replies import json_reply, refusal
from .wire import Refused
from .world import World

__all__ = ["create_app"]

Handler: TypeAlias = Callable[[World, Request], Awaitable[Response]]


async def _version(world: World, _: Request) -> Response:
    return json_reply({"version": world.options.version})


async def _root(_world: World, _request: Request) -> Response:
    return PlainTextResponse("Ollama is running")


_ROUTES: tuple[tuple[str, tuple[str, ...], Handler], ...] = (
    ("/", ("GET",), _root),
    ("/api/chat", ("POST",), model_routes.chat),
    ("/api/generate", ("POST",), model_routes.generate),
    ("/api/embed", ("POST",), model_routes.embed),
    ("/api/embeddings", ("POST",), model_routes.embeddings),
    ("/api/tags", ("GET",), store_routes.tags),
    ("/api/show", ("POST",), store_routes.show),
    ("/api/ps", ("GET",), store_routes.ps),
    ("/api/pull", ("POST",), store_routes.pull),
    ("/api/delete", ("DELETE",), store_routes.delete),
    ("/api/copy", ("POST",), store_routes.copy),
    ("/api/create", ("POST",), store_routes.create),
    ("/api/push", ("POST",), store_routes.push),
    ("/api/blobs/{digest}", ("HEAD", "POST"), store_routes.blob),
    ("/api/version", ("GET",), _version),
    ("/v1/chat/completions", ("POST",), model_routes.completions),
    ("/v1/embeddings", ("POST",), model_routes.openai_embeddings),
    ("/v1/models", ("GET",), model_routes.openai_models),
)


def create_app(options: Options | None = None) -> Starlette:
    """An emulated server; ``app.state.world`` is what it knows, ``app.state.journal`` what it has seen."""
    journal = Journal()
    world = World(options or Options(), journal)

    def route(path: str, methods: tuple[str, ...], handler: Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(world, request)
            except Refused as error:
                return json_reply(error_body(error), error.status) if path.startswith("/v1/") else refusal(error)

        return Route(path, endpoint, methods=list(methods))

    app = Starlette(
        routes=[route(*each) for each in _ROUTES],
        middleware=[Middleware(Recording, journal=journal), Middleware(Door, world=world)],
    )
    app.state.journal, app.state.world = journal, world
    return app
