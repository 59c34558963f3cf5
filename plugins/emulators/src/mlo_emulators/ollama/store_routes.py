"""Routes about models as files: list, show, pull, copy, delete; and what is loaded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from attrs import evolve
from starlette.requests import Request
from starlette.responses import Response

from .catalogue import Model, with_tag
from .reading import body_of, text_of
from .replies import Faults, Slow, json_reply
from .wire import Refused
from .world import World

__all__ = ["blob", "copy", "create", "delete", "ps", "pull", "push", "show", "tags"]


async def tags(world: World, _: Request) -> Response:
    """The models."""
    plain = world.options.plain_tags
    return json_reply({"models": [model.listed(plain=plain) for model in world.models.values()]})


async def show(world: World, request: Request) -> Response:
    """One model."""
    _, model = world.find(body_of(await request.body()))
    return json_reply(model.shown())


async def ps(world: World, _: Request) -> Response:
    """What is loaded."""
    models: list[dict[str, Any]] = []
    for loaded in world.scheduler.running():
        left = min(max(0.0, loaded.expires_at - monotonic()), 10 * 365 * 86400)
        models.append(
            {
                "name": loaded.model.name,
                "model": loaded.model.name,
                "size": loaded.model.size,
                "digest": loaded.model.digest,
                "details": loaded.model.details(),
                "expires_at": (datetime.now(UTC) + timedelta(seconds=left)).isoformat(),
                "size_vram": loaded.model.size,
                "context_length": loaded.num_ctx,
            }
        )
    return json_reply({"models": models})


async def pull(world: World, request: Request) -> Response:
    """Download a model."""
    body = body_of(await request.body())
    name = with_tag(text_of(body, "model") or text_of(body, "name"))
    known = {model.name: model for model in (*world.options.library, *world.options.models)}

    async def progress() -> Any:
        try:
            async for each in world.downloads.pull(known.get(name), world.options):
                yield each
        except Refused as error:  # after the first line an error is a line
            yield error.body
            return
        if name in known:
            world.models[name] = known[name]

    return Slow(
        progress(),
        merge=None if body.get("stream") is not False else lambda objects: objects[-1],
        faults=Faults(cut=world.options.pull_end),
        wire_chunk=None,
        journal=world.journal,
    )


async def delete(world: World, request: Request) -> Response:
    """Forget a model."""
    _, model = world.find(body_of(await request.body()))
    del world.models[model.name]
    world.scheduler.unload(model)
    return Response(status_code=200)


async def copy(world: World, request: Request) -> Response:
    """Copy a model."""
    body = body_of(await request.body())
    _, model = world.find({"model": body.get("source")})
    copied = evolve(model, name=text_of(body, "destination"))
    world.models[copied.name] = copied
    return Response(status_code=200)


async def create(world: World, request: Request) -> Response:
    """Make a model from another."""
    body = body_of(await request.body())
    source = world.models.get(with_tag(text_of(body, "from") or "tiny")) or Model(name="tiny")
    created = evolve(source, name=text_of(body, "model"))
    world.models[created.name] = created
    return _steps(world, body, "parsing GGUF", "writing manifest", "success")


async def push(world: World, request: Request) -> Response:
    """Upload a model."""
    body = body_of(await request.body())
    world.find(body)
    return _steps(world, body, "retrieving manifest", "pushing manifest", "success")


def _steps(world: World, body: dict[str, Any], *statuses: str) -> Response:
    async def progress() -> Any:
        for status in statuses:
            yield {"status": status}

    return Slow(
        progress(),
        merge=None if body.get("stream") is not False else lambda objects: objects[-1],
        faults=Faults(),
        wire_chunk=None,
        journal=world.journal,
    )


async def blob(world: World, request: Request) -> Response:
    """Check for, or take, a blob."""
    digest = request.path_params["digest"]
    if request.method == "HEAD":
        return Response(status_code=200 if digest in world.blobs else 404)
    await request.body()
    world.blobs.add(digest)
    return Response(status_code=201)
