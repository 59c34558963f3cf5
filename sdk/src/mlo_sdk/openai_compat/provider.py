"""A provider for one server that speaks the OpenAI chat protocol."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing

from mlo.api import CallContext
from mlo.batches import batched
from mlo.errors import InvalidRequest, ProtocolViolated, ProviderError, TransportFailed
from mlo.events import Event, events_of
from mlo.models import ModelInfo
from mlo.relay import Relayed, RelayRequest
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse, Embeddings, Health
from mlo_sdk.http import HttpClient
from mlo_sdk.provider import BaseProvider
from mlo_sdk.replies import StreamReply
from mlo_sdk.sse import SseEvent

from .chunks import ChunkReader
from .dialect import Dialect
from .from_wire import embeddings_of, models_of, response_of
from .relaying import ChatRelay, RelayedChat
from .to_wire import chat_to_wire, embedding_to_wire
from .wire import Wire

__all__ = ["OpenAICompatProvider"]

_DONE = "[DONE]"
_SAMPLE = 200


def _as_it_is(model: str) -> str:
    return model


def _no_headers(_ctx: CallContext) -> Mapping[str, str]:
    return {}


class OpenAICompatProvider(BaseProvider):
    """Chat, embeddings, model list and health over ``client``, which somebody else opens and closes.

    ``model`` is used where a request names none. ``wire_model`` turns a model's name into what goes to the wire,
    ``call_headers`` gives headers of one attempt. ``name`` is the provider's name in model lists.
    """

    def __init__(
        self,
        client: HttpClient,
        *,
        model: str | None = None,
        embedding_model: str | None = None,
        dialect: Dialect | None = None,
        name: str = "",
        wire_model: Callable[[str], str] = _as_it_is,
        call_headers: Callable[[CallContext], Mapping[str, str]] = _no_headers,
    ) -> None:
        self._client = client
        self._model = model
        self._embedding_model = embedding_model or model
        self._dialect = dialect or Dialect()
        self._relay = ChatRelay(client, self._dialect)
        self._name = name
        self._wire_model = wire_model
        self._call_headers = call_headers

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        """The whole answer.

        Raises:
            ProviderError: as the dialect's error table says.
        """
        wire = chat_to_wire(request, self._named(request.model or self._model), self._dialect)
        reply = await self._client.request("POST", self._dialect.chat_path, json=wire, headers=self._call_headers(ctx))
        return self._response(reply.mapping(), reply.status, reply.request_id)

    @batched
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Iterable[Event], None]:
        """The answer as it comes.

        Raises:
            ProviderError: as the dialect's error table says, also for an error in the middle of the stream;
                ``TransportFailed`` when the stream ends before the answer does.
        """
        wire = chat_to_wire(request, self._named(request.model or self._model), self._dialect, stream=True)
        headers = {"accept": "text/event-stream", **self._call_headers(ctx)}
        path = self._dialect.chat_path
        async with (
            self._client.stream("POST", path, json=wire, headers=headers) as reply,
            aclosing(self._batches(reply)) as batches,
        ):
            async for batch in batches:
                yield batch

    async def _batches(self, reply: StreamReply) -> AsyncGenerator[Iterable[Event], None]:
        if reply.content_type == "application/json":  # a server that does not stream, or an error with status 200
            yield events_of(await self._unstreamed(reply))
            return
        reader = ChunkReader(self._dialect, reply.request_id)
        done = False
        try:
            async with aclosing(reply.sse_batches()) as batches:
                async for frames in batches:
                    events: list[Event] = []
                    try:
                        done = self._read(frames, reader, events, reply)
                    except ProviderError:
                        yield events  # what came before the error was said
                        raise
                    yield events
                    if done:
                        await reply.finish()
                        break
        except TransportFailed:
            if self._dialect.needs_done or not reader.complete:
                raise
        if not done and (self._dialect.needs_done or not reader.complete):
            raise TransportFailed("the stream ended before the answer did", request_id=reply.request_id)
        yield (reader.finished(),)

    def _read(self, frames: list[SseEvent], reader: ChunkReader, events: list[Event], reply: StreamReply) -> bool:
        """Add the events of the frames; whether the last frame of all was among them."""
        for frame in frames:
            if frame.data == _DONE:
                return True
            events.extend(reader.events(self._chunk(frame, reply)))
        return False

    def _chunk(self, frame: SseEvent, reply: StreamReply) -> Wire:
        try:
            chunk = json.loads(frame.data)
        except ValueError as error:
            if frame.event == "error":
                raise self._client.failure(frame.data, request_id=reply.request_id) from error
            raise ProtocolViolated(
                "a chunk is not JSON", sample=frame.data[:_SAMPLE], request_id=reply.request_id
            ) from error
        if not isinstance(chunk, dict):
            raise ProtocolViolated(
                "a chunk is not a JSON object", sample=frame.data[:_SAMPLE], request_id=reply.request_id
            )
        if chunk.get("error") or frame.event == "error":
            raise self._client.failure(chunk, request_id=reply.request_id)
        return chunk

    async def _unstreamed(self, reply: StreamReply) -> ChatResponse:
        answer = await reply.json()
        if not isinstance(answer, dict):
            raise ProtocolViolated("expected a JSON object", sample=repr(answer)[:_SAMPLE], request_id=reply.request_id)
        return self._response(answer, reply.status, reply.request_id)

    def _response(self, answer: Wire, status: int, request_id: str | None) -> ChatResponse:
        if answer.get("error") and not answer.get("choices"):
            raise self._client.failure(answer, status=None if status == 200 else status, request_id=request_id)
        return response_of(answer, self._dialect, request_id)

    def relays(self, request: RelayRequest, /) -> bool:
        """Whether the server takes this chat completion as the client wrote it."""
        return self._relay.takes(request)

    async def relay(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> Relayed:
        """The whole answer as the server sends it.

        Raises:
            ProviderError: as the dialect's error table says.
        """
        name = self._named(model or self._model)
        return await self._relay.whole(request, name, self._call_headers(ctx), ctx.deadline)

    async def relay_stream(self, request: RelayRequest, model: str | None, ctx: CallContext, /) -> RelayedChat:
        """The answer as the server sends it, piece by piece.

        Raises:
            ProviderError: as the dialect's error table says.
        """
        name = self._named(model or self._model)
        return await self._relay.stream(request, name, self._call_headers(ctx), ctx.deadline)

    async def embed(self, request: EmbeddingRequest, ctx: CallContext, /) -> Embeddings:
        """One vector per text.

        Raises:
            ProviderError: as the dialect's error table says.
        """
        model = self._named(request.model or self._embedding_model)
        step = self._dialect.texts_per_request
        answers: list[Wire] = []
        request_id = None
        for start in range(0, len(request.texts), step):
            wire = embedding_to_wire(request, request.texts[start : start + step], model)
            reply = await self._client.request(
                "POST", self._dialect.embeddings_path, json=wire, headers=self._call_headers(ctx)
            )
            answer = reply.mapping()
            if answer.get("error"):
                raise self._client.failure(answer, request_id=reply.request_id)
            answers.append(answer)
            request_id = reply.request_id
        return embeddings_of(answers, len(request.texts), request_id)

    async def models(self) -> Sequence[ModelInfo]:
        """The models that the server offers.

        Raises:
            ProviderError: as the dialect's error table says.
        """
        reply = await self._client.request("GET", self._dialect.models_path)
        return models_of(reply.mapping(), self._name)

    async def health(self) -> Health:
        """Whether the server lists its models, which costs nothing."""
        started = time.perf_counter()
        try:
            await self.models()
        except ProviderError as error:
            return Health(healthy=False, detail=str(error), latency=time.perf_counter() - started)
        return Health(healthy=True, latency=time.perf_counter() - started)

    def _named(self, model: str | None) -> str:
        if not model:
            raise InvalidRequest("no model: name one in the request, the route's target or the provider's options")
        return self._wire_model(model)
