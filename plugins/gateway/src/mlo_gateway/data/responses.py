"""``POST /v1/responses``: what agent frameworks call by default. Keeps nothing."""

from __future__ import annotations

import orjson

from mlo.relay import RelayRequest
from mlo.responses import ChatResponse
from mlo_gateway.wire.errors import error_event
from mlo_gateway.wire.fields import boolean
from mlo_gateway.wire.response_events import ResponseEventWriter
from mlo_gateway.wire.response_objects import ResponseFrame, whole_response
from mlo_gateway.wire.response_requests import RESPONSE_FIELDS, response_request

from .answering import Tongue, answer
from .estimates import chat_tokens
from .incoming import Incoming

__all__ = ["create_response"]


async def create_response(incoming: Incoming) -> None:
    """Answer a chat in the words of the Responses API, whole or as it is written."""
    raw, body = await incoming.json()
    policy = incoming.config.unknown_parameters
    RESPONSE_FIELDS.check(body, policy)
    destination = incoming.destination(body)
    streamed = bool(boolean(body, "stream"))
    chat = response_request(body, policy, incoming.metadata(body))
    created = int(incoming.gateway.clock())

    def frame(call_id: str, model: str | None) -> ResponseFrame:
        name = model or destination.name
        return ResponseFrame(response_id=f"resp_{call_id}", model=name, created=created, body=body)

    def encode(response: ChatResponse) -> bytes:
        call_id = "" if response.call is None else response.call.call_id
        return whole_response(frame(call_id, response.model), response)

    def writer(call_id: str, model: str | None) -> ResponseEventWriter:
        return ResponseEventWriter(frame(call_id, model))

    request = RelayRequest(
        wire="openai.responses",
        raw=raw,
        document=body,
        chat=chat,
        stream=streamed,
        wants_usage=True,
        encode=orjson.dumps,
    )
    tongue = Tongue(encode=encode, writer=writer, fail=error_event)
    await answer(incoming, destination, request, tongue, tokens=chat_tokens(chat))
