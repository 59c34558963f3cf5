"""All hosts of the cloud behind one address."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from mlo_emulators.journal import Journal, Recording

from . import identity, native, openai_side, operations, services
from .exchange import Endpoint, Handler
from .failures import native_body, openai_body, unary_body
from .options import Options
from .world import World

__all__ = ["create_app"]


async def _not_found(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return PlainTextResponse("404 page not found" if status == 404 else "Method Not Allowed", status)


def create_app(options: Options | None = None) -> Starlette:
    """The emulator as an ASGI application; ``app.state.world`` and ``app.state.journal`` are for tests."""
    options = options or Options()
    journal = Journal()
    world = World(options, journal)

    def unary(path: str, handler: Handler, method: str = "POST") -> Route:
        return Route(path, Endpoint(world, handler, unary_body), methods=[method])

    def openai(path: str, handler: Handler, method: str = "POST") -> Route:
        return Route(path, Endpoint(world, handler, openai_body, openai_side.sse_error), methods=[method])

    models = "/foundationModels/v1"
    app = Starlette(
        routes=[
            Route(f"{models}/completion", Endpoint(world, native.complete, native_body), methods=["POST"]),
            unary(f"{models}/completionAsync", operations.complete_async),
            unary(f"{models}/tokenize", services.tokenize),
            unary(f"{models}/tokenizeCompletion", services.tokenize_completion),
            unary(f"{models}/textEmbedding", services.embed),
            unary(f"{models}/textClassification", services.tune_classify),
            unary(f"{models}/fewShotTextClassification", services.few_shot),
            unary("/operations/{id}:cancel", operations.cancel, "GET"),
            unary("/operations/{id}", operations.poll, "GET"),
            unary("/iam/v1/tokens", identity.exchange_token),
            unary("/iam/v1/tokens:revoke", identity.revoke_token),
            unary("/computeMetadata/v1/instance/service-accounts/default/token", identity.metadata_token, "GET"),
            openai("/v1/chat/completions", openai_side.chat),
            openai("/v1/embeddings", openai_side.embeddings),
            openai("/v1/models", openai_side.list_models, "GET"),
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )
    app.add_middleware(Recording, journal=journal)
    app.state.journal, app.state.world = journal, world
    return app
