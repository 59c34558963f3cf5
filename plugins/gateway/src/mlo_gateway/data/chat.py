"""``POST /v1/chat/completions``."""

from __future__ import annotations

from mlo.responses import ChatResponse
from mlo_gateway.wire.chat_answers import ChunkWriter, completion
from mlo_gateway.wire.chat_requests import CHAT_FIELDS, chat_request, wants_usage
from mlo_gateway.wire.fields import boolean

from .answering import answer_in_pieces, answer_whole
from .incoming import Incoming

__all__ = ["chat_completions"]


async def chat_completions(incoming: Incoming) -> None:
    """Answer a chat, whole or as it is written."""
    body = await incoming.json()
    policy = incoming.config.unknown_parameters
    CHAT_FIELDS.check(body, policy)
    destination = incoming.destination(body)
    streamed, with_usage = boolean(body, "stream"), wants_usage(body)
    request = chat_request(body, policy, incoming.metadata(body))
    created = int(incoming.gateway.clock())

    def encode(response: ChatResponse) -> bytes:
        call_id = "" if response.call is None else response.call.call_id
        return completion(response, answer_id=f"chatcmpl-{call_id}", model=destination.name, created=created)

    def writer(call_id: str, model: str | None) -> ChunkWriter:
        name = model or destination.name
        return ChunkWriter(answer_id=f"chatcmpl-{call_id}", model=name, created=created, wants_usage=with_usage)

    if streamed:
        await answer_in_pieces(incoming, destination, request, writer)
    else:
        await answer_whole(incoming, destination, request, encode)
