"""``POST /v1/embeddings``."""

from __future__ import annotations

from mlo_gateway.wire.embeddings import EMBEDDING_FIELDS, embedding_answer, embedding_request, wants_base64
from mlo_gateway.wire.usage import tokens_of

from .answering import told
from .estimates import text_tokens
from .incoming import Incoming

__all__ = ["embeddings"]


async def embeddings(incoming: Incoming) -> None:
    """Turn texts into vectors."""
    _, body = await incoming.json()
    policy = incoming.config.unknown_parameters
    EMBEDDING_FIELDS.check(body, policy)
    destination = incoming.destination(body)
    packed = wants_base64(body)
    request = embedding_request(body, policy, incoming.metadata(body))
    ticket = await incoming.ticket(text_tokens(request.texts))
    tokens = None
    try:
        found = await incoming.router.embed(request, route=destination.route, target=destination.target)
        tokens = tokens_of(found.usage)
    finally:
        ticket.leave(tokens)
    call = found.call
    headers = [*ticket.headers] if call is None else [*told(call.call_id, call.target), *ticket.headers]
    answer = embedding_answer(found, model=destination.name, packed=packed)
    await incoming.exchange.respond(200, answer, headers)
