"""``POST /v1/responses``: what agent frameworks call by default. Keeps nothing."""

from __future__ import annotations

from mlo.responses import ChatResponse
from mlo_gateway.wire.fields import boolean
from mlo_gateway.wire.response_events import ResponseEventWriter
from mlo_gateway.wire.response_objects import ResponseFrame, whole_response
from mlo_gateway.wire.response_requests import RESPONSE_FIELDS, response_request

from .answering import answer_in_pieces, answer_whole
from .incoming import Incoming

__all__ = ["create_response"]


async def create_response(incoming: Incoming) -> None:
    """Answer a chat in the words of the Responses API, whole or as it is written."""
    body = await incoming.json()
    policy = incoming.config.unknown_parameters
    RESPONSE_FIELDS.check(body, policy)
    destination = incoming.destination(body)
    streamed = boolean(body, "stream")
    request = response_request(body, policy, incoming.metadata(body))
    created = int(incoming.gateway.clock())

    def frame(call_id: str, model: str | None) -> ResponseFrame:
        name = model or destination.name
        return ResponseFrame(response_id=f"resp_{call_id}", model=name, created=created, body=body)

    def encode(response: ChatResponse) -> bytes:
        call_id = "" if response.call is None else response.call.call_id
        return whole_response(frame(call_id, response.model), response)

    def writer(call_id: str, model: str | None) -> ResponseEventWriter:
        return ResponseEventWriter(frame(call_id, model))

    if streamed:
        await answer_in_pieces(incoming, destination, request, writer)
    else:
        await answer_whole(incoming, destination, request, encode)
