"""The provider: which model, which wire, and the calls."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from mlo.api import CallContext
from mlo.batches import batched
from mlo.errors import ProviderError, Unsupported
from mlo.events import Event, events_of
from mlo.models import ModelInfo
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse, Embeddings, Health
from mlo_sdk.http import HttpClient
from mlo_sdk.openai_compat import models_of
from mlo_sdk.provider import BaseProvider

from .answers import FrameReader, chat_response
from .catalog import price_of
from .choice import Choice, Chooser
from .compat import CompatSide
from .config import YandexConfig
from .mapping import completion_request
from .model_info import described
from .operations import Operations, Pace, is_over, operation_id
from .services import Services
from .vectors import Label, classification_request, embedding_request, embeddings_of, labels_of

__all__ = ["YandexProvider"]

_MODELS = "/foundationModels/v1"


class YandexProvider(BaseProvider):
    """YandexGPT over REST. The three clients are opened and closed by :func:`mlo_yandexgpt.opening.open_yandexgpt`."""

    def __init__(self, config: YandexConfig, native: HttpClient, operations: HttpClient, compat: HttpClient) -> None:
        self._config = config
        self._native = native
        self._compat_client = compat
        self._compat = CompatSide(compat, _call_headers, cut_stops=config.stop == "client")
        self._operations = Operations(operations, Pace(first=config.poll_first, longest=config.poll_max))
        self._services = Services(native, config.embeddings_per_second)
        self._chooser = Chooser(config)
        self._cut_stops = config.stop == "client"

    async def generate(self, request: ChatRequest, ctx: CallContext, /) -> ChatResponse:
        """The whole answer; in ``async`` mode when it is there, polling meanwhile.

        Raises:
            ProviderError: as the error table says.
        """
        model = self._chooser.generation(request.model)
        if not model.native:
            return await self._compat.generate(request, ctx, model.uri, model.price)
        body = self._body(request, model, stream=False)
        if self._config.mode == "async":
            answer = await self._operations.wait(await self._submit(body))
            return self._response(answer, model, request, None)
        reply = await self._native.request("POST", f"{_MODELS}/completion", json=body, headers=_call_headers())
        return self._response(reply.mapping(), model, request, reply.request_id)

    @batched
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Iterable[Event], None]:
        """The answer as it comes; in ``async`` mode all at once.

        Raises:
            ProviderError: as the error table says, also for an error line in the middle of a stream;
                ``TransportFailed`` when the stream ends without a final status; ``ProtocolViolated`` when the model
                takes text back that was already passed on.
        """
        model = self._chooser.generation(request.model)
        if not model.native:
            async with aclosing(self._compat.stream(request, ctx, model.uri, model.price)) as events:
                async for event in events:
                    yield (event,)
        elif self._config.mode == "async":
            yield events_of(await self.generate(request, ctx))
        else:
            async with aclosing(self._frames(request, model)) as batches:
                async for batch in batches:
                    yield batch

    async def _frames(self, request: ChatRequest, model: Choice) -> AsyncGenerator[Iterable[Event], None]:
        body = self._body(request, model, stream=True)
        path = f"{_MODELS}/completion"
        async with self._native.stream("POST", path, json=body, headers=_call_headers()) as reply:
            reader = FrameReader(
                model=model.uri,
                request_id=reply.request_id,
                price=model.price,
                buffer=self._config.on_rewrite == "buffer",
                stops=request.sampling.stop,
            )
            async with aclosing(reply.ndjson_batches()) as batches:
                async for documents in batches:
                    events: list[Event] = []
                    try:
                        self._read(documents, reader, events, reply.request_id)
                    except ProviderError:
                        yield events  # what came before the error was said
                        raise
                    yield events
                    if reader.finished is not None:
                        break
            if not reader.stopped_early:
                await reply.finish()
            yield (reader.close(),)

    def _read(
        self, documents: list[dict[str, Any]], reader: FrameReader, events: list[Event], request_id: str | None
    ) -> None:
        """Add the events of the documents, up to the last one that matters."""
        for document in documents:
            if "error" in document:
                raise self._refusal(document, request_id)
            events.extend(reader.feed(document))
            if reader.finished is not None:
                return

    def _refusal(self, document: dict[str, Any], request_id: str | None) -> ProviderError:
        error = document["error"]
        status = error.get("httpCode") if isinstance(error, dict) else None
        return self._native.failure(document, status=status if isinstance(status, int) else None, request_id=request_id)

    def _response(
        self, document: dict[str, Any], model: Choice, request: ChatRequest, request_id: str | None
    ) -> ChatResponse:
        if "error" in document:
            raise self._refusal(document, request_id)
        return chat_response(
            document, model=model.uri, request_id=request_id, price=model.price, stops=request.sampling.stop
        )

    def _body(self, request: ChatRequest, model: Choice, *, stream: bool) -> dict[str, Any]:
        return completion_request(
            request, model.uri, stream=stream, can_reason=model.can_reason, cut_stops=self._cut_stops
        )

    async def submit(self, request: ChatRequest) -> str:
        """Start an asynchronous generation, whatever the mode; the id of its operation.

        Raises:
            ProviderError: as the error table says; ``Unsupported`` also for open-weight models, and for stop
                sequences: nobody remembers them until the result is there.
        """
        model = self._chooser.generation(request.model)
        if not model.native:
            raise Unsupported(f"{model.uri} has no asynchronous mode: only the native API has")
        if request.sampling.stop:
            raise Unsupported("results of operations are not cut at stop sequences: leave them out")
        return operation_id(await self._submit(self._body(request, model, stream=False)))

    async def _submit(self, body: dict[str, Any]) -> dict[str, Any]:
        reply = await self._native.request("POST", f"{_MODELS}/completionAsync", json=body, headers=_call_headers())
        return reply.mapping()

    async def result(self, operation: str, model: str | None = None) -> ChatResponse | None:
        """What an operation ended in, ``None`` if it is still under way. Results are kept for three days.

        ``model`` is the one that was asked, for the price.

        Raises:
            ProviderError: the one that the operation ended in.
        """
        found = await self._operations.look(operation)
        if not is_over(found):
            return None
        uri = self._chooser.uri(model or self._config.model)
        return chat_response(self._operations.result(found), model=str(uri), price=price_of(uri, asynchronous=True))

    async def cancel(self, operation: str) -> None:
        """Cancel an operation.

        Raises:
            ProviderError: as the error table says.
        """
        await self._operations.cancel(operation)

    async def embed(self, request: EmbeddingRequest, ctx: CallContext, /) -> Embeddings:  # noqa: ARG002 - the protocol
        """One vector per text, one request per text, paced to the quota.

        Raises:
            ProviderError: as the error table says.
        """
        name = self._config.query_model if request.kind == "query" else self._config.document_model
        uri = self._chooser.uri(request.model or name, "emb")
        bodies = [embedding_request(request, index, str(uri)) for index in range(len(request.texts))]
        answers = await self._services.embed(bodies)
        return embeddings_of(answers, str(uri), price_of(uri))

    async def classify(
        self,
        text: str,
        labels: Sequence[str] = (),
        *,
        task: str = "",
        samples: Sequence[tuple[str, str]] = (),
        model: str = "yandexgpt-lite",
    ) -> Sequence[Label]:
        """The labels of ``text``, surest first: of ``labels`` for a task in words, else of a tuned model's own.

        Raises:
            ProviderError: as the error table says.
        """
        body = classification_request(str(self._chooser.uri(model, "cls")), text, labels, task, samples)
        return labels_of(await self._services.classify(body))

    async def models(self) -> Sequence[ModelInfo]:
        """The models that the folder may use, with what is known of them.

        Raises:
            ProviderError: as the error table says.
        """
        reply = await self._compat_client.request("GET", "/models")
        stores = self._config.data_logging
        return [described(model, stores_prompts=stores) for model in models_of(reply.mapping(), "yandexgpt")]

    async def count_tokens(self, texts: Sequence[str], model: str | None = None) -> Sequence[int]:
        """Tokens of each text, counted by the vendor, free of charge.

        Raises:
            ProviderError: as the error table says.
        """
        uri = str(self._chooser.uri(model or self._config.model))
        return [await self._services.count_tokens(text, uri) for text in texts]

    async def health(self) -> Health:
        """Whether the tokenizer answers (the list of models, for open-weight ones): both are free."""
        started = time.perf_counter()
        try:
            if self._chooser.generation(None).native:
                await self.count_tokens(["ping"])
            else:
                await self.models()
        except ProviderError as error:
            return Health(healthy=False, detail=str(error), latency=time.perf_counter() - started)
        return Health(healthy=True, latency=time.perf_counter() - started)


def _call_headers() -> Mapping[str, str]:
    return {"x-client-request-id": str(uuid.uuid4())}
