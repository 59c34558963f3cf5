"""The provider: requests out, answers in. What they look like is decided in :mod:`.v1` and :mod:`.v2`."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

import anyio
from attrs import evolve, frozen

from mlo.api import CallContext, Environment, Provider
from mlo.batches import batched
from mlo.errors import ConfigError, ProtocolViolated, ProviderError, TransportFailed
from mlo.events import Event, events_of
from mlo.models import ModelInfo
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse, Embeddings, Health
from mlo_sdk.http import HttpClient
from mlo_sdk.provider import BaseProvider
from mlo_sdk.replies import StreamReply

from . import account, v1, v2
from .auth import USER_AGENT
from .calls import Envelope, envelope
from .choices import Tools, tools_of
from .config import GigaChatConfig
from .embeddings import embed
from .errors import API_ERRORS
from .facts import price_of
from .files import FileStore
from .frames import StreamReader
from .reading import Reader, Reading, failure_of, is_failure
from .trust import effective_tls
from .wire import Wire

__all__ = ["GigaChatProvider", "open_gigachat"]

_VERSION_SUFFIX = re.compile(r"/v\d+$")
_STREAM_HEADERS = {"accept": "text/event-stream", "cache-control": "no-store"}


@frozen
class _Version:
    """One version of the chat API: the pure functions that know it."""

    body: Callable[..., Wire]
    response: Callable[[Wire, Reading], ChatResponse]
    reader: Callable[[Reading], Reader]


_VERSIONS = {
    "v1": _Version(v1.request_body, v1.response_of, v1.ChunkReader),
    "v2": _Version(v2.request_body, v2.response_of, v2.ChunkReader),
}


@asynccontextmanager
async def open_gigachat(config: GigaChatConfig, env: Environment) -> AsyncGenerator[Provider, None]:
    """An open provider.

    Raises:
        ConfigError: for options that contradict each other, TLS files that cannot be used, a missing auth table.
    """
    if config.api == "v2" and not _VERSION_SUFFIX.search(config.base_url.rstrip("/")):
        raise ConfigError(f"{env.path}.base_url", "must end in /v1 for api = 'v2', which replaces that by /v2")
    if config.embedding_batch < 1:
        raise ConfigError(f"{env.path}.embedding_batch", "must be at least 1")
    # A client certificate alone is enough on some installations: then, and only then, no auth table is needed.
    auth = await env.auth("none" if config.tls.client_cert else None)
    client = HttpClient(
        config.base_url,
        path=env.path,
        auth=auth,
        headers={"user-agent": USER_AGENT},
        settings=config.http,
        tls=effective_tls(config.tls, verify_ssl=config.verify_ssl),
        errors=API_ERRORS,
    )
    async with client:
        provider = GigaChatProvider(client, config, env.instance)
        try:
            yield provider
        finally:
            if not config.keep_uploads:
                await provider.files.clean_up()


class GigaChatProvider(BaseProvider):
    """GigaChat over ``client``, which somebody else opens and closes. ``files`` are the files of the account."""

    def __init__(self, client: HttpClient, config: GigaChatConfig, name: str = "gigachat") -> None:
        self._client, self._config, self._name = client, config, name
        self._version = _VERSIONS[config.api]
        base = _VERSION_SUFFIX.sub("/v2", client.base_url) if config.api == "v2" else ""
        self._chat_path = f"{base}/chat/completions"
        self.files = FileStore(client)

    def __repr__(self) -> str:
        return f"<GigaChatProvider {self._name} {self._config.api} {self._client.base_url}>"

    async def generate(self, request: ChatRequest, _ctx: CallContext, /) -> ChatResponse:
        """The whole answer.

        Raises:
            InvalidRequest: for what no server would take.
            Unsupported: for what GigaChat does not have.
            ProviderError: what the server says, by table; ``ProtocolViolated`` when it says nothing sensible.
        """
        call, body, reading = await self._prepared(request, stream=False)
        async with self.files.forgetting_lost():
            reply = await self._client.request("POST", self._chat_path, json=body, headers=call.headers)
        return self._response(reply.mapping(), reading, reply.request_id)

    @batched
    async def generate_stream(
        self, request: ChatRequest, _ctx: CallContext, /
    ) -> AsyncGenerator[Iterable[Event], None]:
        """The answer as it comes.

        Raises:
            ProviderError: as :meth:`generate`, also for an error in the middle of the stream; ``TransportFailed``
                when the stream ends before the answer does.
        """
        call, body, reading = await self._prepared(request, stream=True)
        headers = {**_STREAM_HEADERS, **call.headers}
        async with (
            self.files.forgetting_lost(),
            self._client.stream("POST", self._chat_path, json=body, headers=headers) as reply,
        ):
            if reply.content_type != "text/event-stream":  # a failure with status 200, or a server that does not stream
                yield events_of(self._response(await _whole(reply), reading, reply.request_id))
                return
            stream = self._stream_reader(reading, reply.request_id)
            try:
                async with aclosing(reply.chunks()) as chunks:
                    async for chunk in chunks:
                        yield stream.feed(chunk)
                        if stream.ended:
                            await reply.finish()
                            break
            except TransportFailed:
                if not stream.complete:  # what is lost after the end of the answer does not matter
                    raise
            yield stream.end()

    def _stream_reader(self, reading: Reading, request_id: str | None) -> StreamReader:
        return StreamReader(self._version.reader(evolve(reading, request_id=request_id)), request_id)

    def _response(self, answer: Wire, reading: Reading, request_id: str | None) -> ChatResponse:
        if is_failure(answer):
            raise failure_of(answer, request_id)
        return self._version.response(answer, evolve(reading, request_id=request_id))

    async def _prepared(self, request: ChatRequest, *, stream: bool) -> tuple[Envelope, Wire, Reading]:
        call = envelope(request.extra, self._config)
        model = request.model or self._config.model
        tools: Tools = tools_of(request, self._config)
        request = await self.files.with_uploads(request, call.headers)
        body = self._version.body(request, model, tools, self._config, stream=stream)
        stop = request.sampling.stop
        return call, {**body, **call.fields}, Reading(tools=tools, price=price_of(model), stop=stop)

    async def embed(self, request: EmbeddingRequest, _ctx: CallContext, /) -> Embeddings:
        """One vector per text, asked for in batches of ``embedding_batch``.

        Raises:
            Unsupported: for a number of dimensions: it is the model's choice.
            ProviderError: what the server says, by table.
        """
        return await embed(self._client, request, self._config)

    async def models(self) -> Sequence[ModelInfo]:
        """The models that the account may use.

        Raises:
            ProviderError: what the server says, by table.
        """
        return await account.models(self._client, self._own_headers(), self._name)

    async def model(self, model_id: str) -> ModelInfo:
        """One model.

        Raises:
            ModelNotFound: when there is none of that name.
        """
        return await account.model(self._client, self._own_headers(), self._name, model_id)

    async def count_tokens(self, texts: Sequence[str], model: str | None = None) -> Sequence[int]:
        """Tokens of each text, as ``model`` counts them. Free of charge.

        Raises:
            ProviderError: what the server says, by table.
        """
        return await account.count_tokens(self._client, self._own_headers(), texts, model or self._config.model)

    async def balance(self) -> Mapping[str, float]:
        """What is left of prepaid packages, by model.

        Raises:
            PermissionDenied: for accounts that pay as they go.
        """
        return await account.balance(self._client, self._own_headers())

    async def health(self) -> Health:
        """Whether the server lists its models to us, which costs nothing."""
        started = anyio.current_time()
        try:
            await self.models()
        except ProviderError as error:
            return Health(healthy=False, detail=str(error), latency=anyio.current_time() - started)
        return Health(healthy=True, latency=anyio.current_time() - started)

    def _own_headers(self) -> Mapping[str, str]:
        return envelope({}, self._config).headers


async def _whole(reply: StreamReply) -> Wire:
    data = await reply.json()
    if not isinstance(data, dict):
        sample = json.dumps(data, ensure_ascii=False)[:200]
        raise ProtocolViolated("expected a JSON object", sample=sample, request_id=reply.request_id)
    return data
