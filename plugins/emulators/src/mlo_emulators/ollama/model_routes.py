"""Routes that need a model to run: chat, generate, embeddings; the native ones and OpenAI's."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .answers import embedding_of, tokens_of
from .catalogue import Model
from .chat import chat_job, generate_job
from .generation import CHAT, GENERATE, generated, merged
from .openai_side import chunks_of, completion_of, error_body, model_object, native_request
from .reading import body_of, keep_alive_of, options_of, text_of
from .replies import Framing, Slow, json_reply
from .wire import Refused, dumps
from .world import World

__all__ = ["chat", "completions", "embed", "embeddings", "generate", "openai_embeddings", "openai_models"]


async def chat(world: World, request: Request) -> Response:
    """Chat."""
    body = body_of(await request.body())
    name, model = world.find(body)
    return world.run(chat_job(body, name, model, world.options), CHAT)


async def generate(world: World, request: Request) -> Response:
    """Generate."""
    body = body_of(await request.body())
    name, model = world.find(body)
    return world.run(generate_job(body, name, model, world.options), GENERATE)


async def embed(world: World, request: Request) -> Response:
    """Embeddings."""
    body = body_of(await request.body())
    name, model = world.find(body)
    given = body.get("input") if body.get("input") is not None else []
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "invalid input type")
    counts = await embedded(world, body, model, texts)
    size = int(body.get("dimensions") or 0) or model.embedding_length
    vectors = [embedding_of(text, min(size, model.embedding_length)) for text in texts]
    metrics = {"total_duration": 1_000_000, "load_duration": 1000, "prompt_eval_count": sum(counts)}
    return json_reply({"model": name, "embeddings": vectors, **(metrics if texts else {})})


async def embedded(world: World, body: dict[str, Any], model: Model, texts: list[str]) -> list[int]:
    """Tokens of each text, once a slot of the model was free."""
    options = options_of(body)
    counts = [len(tokens_of(text)) for text in texts]
    num_ctx = min(int(options.get("num_ctx") or model.context_length), model.context_length)
    if body.get("truncate") is False and any(count > num_ctx for count in counts):
        raise Refused(400, "the input length exceeds the context length")
    alive = keep_alive_of(body, world.options.keep_alive)
    async with world.scheduler.using(model, (num_ctx,), num_ctx, alive, world.options):
        return [min(count, num_ctx) for count in counts]


async def embeddings(world: World, request: Request) -> Response:
    """Embeddings as older clients ask for them."""
    body = body_of(await request.body())
    _, model = world.find(body)
    prompt = text_of(body, "prompt")
    return json_reply({"embedding": embedding_of(prompt, model.embedding_length) if prompt else []})


_OPENAI = Framing(
    media_type=b"text/event-stream",
    frame=lambda value: b"data: " + dumps(value) + b"\n\n",
    end=b"data: [DONE]\n\n",
    refusal=error_body,
)


async def completions(world: World, request: Request) -> Response:
    """Chat completions."""
    body = body_of(await request.body())
    native = native_request(body)
    name, model = world.find(native)
    job = chat_job(native, name, model, world.options)
    objects = generated(job, world.options, world.scheduler, CHAT)
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    return Slow(
        chunks_of(objects, usage=usage) if job.stream else objects,
        merge=None if job.stream else lambda pieces: completion_of(merged(pieces, CHAT)),
        faults=world.faults(),
        wire_chunk=world.options.wire_chunk,
        journal=world.journal,
        framing=_OPENAI,
    )


async def openai_models(world: World, _: Request) -> Response:
    """The models, as OpenAI lists them."""
    return json_reply({"object": "list", "data": [model_object(name) for name in world.models]})


async def openai_embeddings(world: World, request: Request) -> Response:
    """Embeddings, as OpenAI gives them."""
    body = body_of(await request.body())
    name, model = world.find(body)
    texts = [body["input"]] if isinstance(body.get("input"), str) else body.get("input") or []
    counts = await embedded(world, body, model, texts)
    vectors = [embedding_of(text, model.embedding_length) for text in texts]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    return json_reply({"object": "list", "data": data, "model": name, "usage": usage})
