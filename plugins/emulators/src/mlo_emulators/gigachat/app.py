"""The emulated service as an ASGI app."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from time import time
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from mlo_emulators.journal import Recording

from . import v1, v2
from .answers import answer
from .catalogue import find, listed
from .failures import ApiFailure, OAuthFailure, api_failure, oauth_failure
from .files import PICTURE, multipart
from .gate import Visit, guarded
from .login import oauth, password
from .options import Options
from .rules import chosen_model, parsed
from .state import Emulator
from .stream import EventStream, script
from .tokens import count_tokens

__all__ = ["create_app", "hints"]

_VERSIONS: Mapping[str, Any] = {"v1": v1, "v2": v2}


def create_app(options: Options | None = None) -> Starlette:
    """The app. ``app.state.emulator`` is its :class:`Emulator`, ``app.state.journal`` its journal."""
    emulator = Emulator(options or Options())
    shared = [
        guarded("/chat/completions", _chat, "POST", slot=True),
    ]
    first = [
        *shared,
        Route("/token", password, methods=["POST"]),
        guarded("/models", _models),
        guarded("/models/{model_id}", _model),
        guarded("/embeddings", _embeddings, "POST", slot=True),
        guarded("/tokens/count", _count, "POST"),
        guarded("/balance", _balance),
        guarded("/files", _upload, "POST"),
        guarded("/files", _files),
        guarded("/files/{file_id}", _file),
        guarded("/files/{file_id}/content", _content),
        guarded("/files/{file_id}/delete", _delete, "POST"),
        guarded("/functions/validate", _validate, "POST"),
    ]
    second = [*shared, Route("/{rest:path}", _forbidden, methods=["GET", "POST"])]
    app = Starlette(
        routes=[
            Route("/api/v2/oauth", oauth, methods=["POST"]),
            *(Mount(f"{prefix}/v1", routes=first) for prefix in ("/api", "")),
            *(Mount(f"{prefix}/v2", routes=second) for prefix in ("/api", "")),
        ],
        middleware=[Middleware(Recording, journal=emulator.journal)],
        exception_handlers={ApiFailure: api_failure, OAuthFailure: oauth_failure},
    )
    app.state.emulator, app.state.journal = emulator, emulator.journal
    return app


def hints(url: str) -> list[str]:
    """What to write into a configuration."""
    return [
        f"base_url       {url}/v1",
        f"auth_url       {url}/api/v2/oauth",
        "key            any base64 of CLIENT_ID:SECRET, such as ZGVtbzpkZW1v",
    ]


async def _forbidden(_: Request) -> Response:
    raise ApiFailure(403, "html")


async def _chat(visit: Visit) -> Response:
    options, emulator = visit.options, visit.emulator
    version = _VERSIONS["v2" if "/v2/" in visit.request.scope["path"] else "v1"]
    prompt = version.read(parsed(await visit.request.body()), options)
    for file_id in (file for turn in prompt.turns for file in turn.files):
        emulator.files.get(file_id, visit.owner)
    said = answer(prompt, options)
    picture = emulator.files.add("picture.jpg", "image/jpeg", PICTURE, visit.owner).id if said.draws else ""
    context = v1.Context(
        prompt=prompt,
        options=options,
        created=int(time()),
        cached=emulator.cached_tokens(visit.request.headers.get("x-session-id"), prompt),
        state_id=emulator.new_id(),
        call_id=emulator.new_id(),
        file_id=picture,
    )
    if prompt.stream:
        played = script(version.frames(said, context), options)
        return EventStream(played, emulator.journal, visit.release, visit.headers)
    return visit.json(version.body(said, context))


async def _models(visit: Visit) -> Response:
    return visit.json({"object": "list", "data": [model.wire() for model in listed(visit.options.host)]})


async def _model(visit: Visit) -> Response:
    model = find(visit.request.path_params["model_id"], visit.options.host)
    if model is None:
        raise ApiFailure(404)
    return visit.json(model.wire())


async def _embeddings(visit: Visit) -> Response:
    body = parsed(await visit.request.body())
    model = chosen_model(body, visit.options, "embedder")
    texts = body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ApiFailure(400)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _vector(text, model.dimensions, visit.options.seed),
            "usage": {"prompt_tokens": count_tokens(text)},
        }
        for index, text in enumerate(texts)
    ]
    return visit.json({"object": "list", "model": model.id, "data": data})


def _vector(text: str, dimensions: int, seed: int) -> list[float]:
    rng = random.Random(hashlib.sha256(f"{seed}:{text}".encode()).digest())  # noqa: S311 - the same text, the same vector
    numbers = [rng.uniform(-1, 1) for _ in range(dimensions)]
    length = sum(value * value for value in numbers) ** 0.5
    return [round(value / length, 6) for value in numbers]


async def _count(visit: Visit) -> Response:
    body = parsed(await visit.request.body())
    chosen_model(body, visit.options)
    texts = body.get("input")
    if not isinstance(texts, list):
        raise ApiFailure(400)
    return visit.json(
        [{"object": "tokens", "tokens": count_tokens(text), "characters": len(text)} for text in map(str, texts)]
    )


async def _balance(visit: Visit) -> Response:
    if visit.options.balance == "denied":
        raise ApiFailure(403)
    used_up = visit.options.exhausted_models
    return visit.json(
        {
            "balance": [
                {"usage": model.id, "value": 0 if model.id in used_up else 900_000}
                for model in listed(visit.options.host)
                if model.type in {"chat", "embedder"}
            ]
        }
    )


async def _upload(visit: Visit) -> Response:
    parts = multipart(visit.request.headers.get("content-type", ""), await visit.request.body())
    file, purpose = parts.get("file"), parts.get("purpose")
    if file is None or purpose is None or purpose.content not in {b"general", b"assistant"}:
        raise ApiFailure(400)
    visit.emulator.journal.count("uploads")
    stored = visit.emulator.files.add(file.filename or "upload", file.media_type, file.content, visit.owner)
    return visit.json(stored.wire())


async def _files(visit: Visit) -> Response:
    return visit.json({"data": [stored.wire() for stored in visit.emulator.files.all(visit.owner)]})


async def _file(visit: Visit) -> Response:
    return visit.json(visit.emulator.files.get(visit.request.path_params["file_id"], visit.owner).wire())


async def _content(visit: Visit) -> Response:
    stored = visit.emulator.files.get(visit.request.path_params["file_id"], visit.owner)
    return Response(stored.content, media_type=stored.media_type, headers=visit.headers)


async def _delete(visit: Visit) -> Response:
    stored = visit.emulator.files.delete(visit.request.path_params["file_id"], visit.owner)
    visit.emulator.journal.count("deletions")
    return visit.json({"id": stored.id, "deleted": True, "access_policy": "private"})


async def _validate(visit: Visit) -> Response:
    body = parsed(await visit.request.body())
    found = []
    if not isinstance(body.get("name"), str):
        found.append({"description": "name is required", "schema_location": "(root)"})
    if not isinstance(body.get("parameters"), dict):
        found.append({"description": "parameters is required", "schema_location": "(root)"})
    message = "Incorrect function syntax" if found else "Function is valid"
    return visit.json(
        {"status": 200, "message": message, "json_ai_rules_version": "1.0.5", "errors": found, "warnings": []}
    )
