"""``POST /v1/chat/completions``."""

from __future__ import annotations

import orjson

from mlo.errors import InvalidRequest, Unsupported
from mlo.relay import RelayRequest
from mlo.requests import ChatRequest
from mlo.responses import ChatResponse
from mlo_gateway.contracts import GatewayError
from mlo_gateway.wire.chat_answers import ChunkWriter, completion
from mlo_gateway.wire.chat_requests import CHAT_FIELDS, chat_request, sampling_of, wants_usage
from mlo_gateway.wire.errors import error_event
from mlo_gateway.wire.fields import boolean
from mlo_gateway.wire.survey import survey_of

from .answering import Tongue, answer
from .estimates import surveyed_tokens
from .incoming import Incoming

__all__ = ["chat_completions"]


async def chat_completions(incoming: Incoming) -> None:
    """Answer a chat, whole or as it is written."""
    raw, body = await incoming.json()
    policy = incoming.config.unknown_parameters
    CHAT_FIELDS.check(body, policy)
    destination = incoming.destination(body)
    streamed, with_usage = bool(boolean(body, "stream")), wants_usage(body)
    survey, sampling, metadata = survey_of(body), sampling_of(body), incoming.metadata(body)
    created = int(incoming.gateway.clock())

    def build() -> ChatRequest:
        try:
            return chat_request(body, policy, metadata)
        except GatewayError as error:  # to the kernel it is a provider that cannot serve the request
            kind = Unsupported if error.code == "unsupported_parameter" else InvalidRequest
            raise kind(error.message) from error

    def encode(response: ChatResponse) -> bytes:
        call_id = "" if response.call is None else response.call.call_id
        return completion(response, answer_id=f"chatcmpl-{call_id}", model=destination.name, created=created)

    def writer(call_id: str, model: str | None) -> ChunkWriter:
        name = model or destination.name
        return ChunkWriter(answer_id=f"chatcmpl-{call_id}", model=name, created=created, wants_usage=with_usage)

    kept = CHAT_FIELDS.kept(body, policy)
    request = RelayRequest(
        wire="openai.chat",
        raw=raw if kept is body else orjson.dumps(kept),
        document=kept,
        chat=ChatRequest.deferred(build, needs=survey.needs, sampling=sampling, metadata=metadata),
        stream=streamed,
        wants_usage=with_usage,
        encode=orjson.dumps,
    )
    tongue = Tongue(encode=encode, writer=writer, fail=error_event)
    await answer(incoming, destination, request, tongue, tokens=surveyed_tokens(survey, sampling.max_tokens))
