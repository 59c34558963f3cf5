"""Embeddings, in batches."""

from __future__ import annotations

from mlo.errors import ProtocolViolated, Unsupported
from mlo.requests import EmbeddingRequest
from mlo.responses import Embeddings
from mlo_sdk.http import HttpClient

from .calls import envelope
from .config import GigaChatConfig
from .facts import price_of
from .reading import counted
from .wire import Wire, as_int, as_mapping, as_objects

__all__ = ["embed"]


async def embed(client: HttpClient, request: EmbeddingRequest, config: GigaChatConfig) -> Embeddings:
    """One vector per text.

    Raises:
        Unsupported: for a number of dimensions: it is the model's choice.
        ProtocolViolated: when vectors are missing.
        ProviderError: what the server says, by table.
    """
    if request.dimensions is not None:
        raise Unsupported("GigaChat's embeddings have the length of their model: leave dimensions out")
    call = envelope(request.extra, config)
    model, step = request.model or config.embedding_model, config.embedding_batch
    items: list[Wire] = []
    request_id = None
    for start in range(0, len(request.texts), step):
        texts = list(request.texts[start : start + step])
        body = {**call.fields, "model": model, "input": texts}
        reply = await client.request("POST", "/embeddings", json=body, headers=call.headers)
        items += _vectors(reply.mapping(), len(texts), reply.request_id)
        request_id = reply.request_id
    tokens = [as_int(as_mapping(item.get("usage")).get("prompt_tokens")) for item in items]
    known = [count for count in tokens if count is not None]
    total = sum(known) if len(known) == len(tokens) else None
    return Embeddings(
        vectors=tuple(tuple(item["embedding"]) for item in items),
        usage=counted(total, None, 0, price_of(model)),
        model=model,
        request_id=request_id,
    )


def _vectors(answer: Wire, wanted: int, request_id: str | None) -> list[Wire]:
    items = as_objects(answer.get("data"))
    items.sort(key=lambda item: as_int(item.get("index")) or 0)
    if len(items) != wanted or not all(isinstance(item.get("embedding"), list) for item in items):
        raise ProtocolViolated(f"{len(items)} embeddings for {wanted} texts", request_id=request_id)
    return items
