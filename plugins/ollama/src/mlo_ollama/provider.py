"""Talks to an Ollama server."""

from __future__ import annotations

import warnings
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
from attrs import evolve

from mlo.api import CallContext, Environment
from mlo.batches import batched
from mlo.errors import ContextTooLong, ProviderError, Unsupported
from mlo.events import Event, Finished
from mlo.models import ModelInfo
from mlo.requests import ChatRequest, EmbeddingRequest
from mlo.responses import ChatResponse, Embeddings, Health
from mlo_sdk.http import HttpClient
from mlo_sdk.provider import BaseProvider

from . import errors
from .checks import check
from .config import CloudConfig, OllamaConfig
from .inventory import described_load, model_info, name_of, needs_details
from .mapping import ChatCall, chat_call, embed_body
from .names import is_cloud, with_tag
from .reading import Reading, response_of, usage_of, vectors_in
from .server import OllamaServer
from .truncation import PromptTruncated, verdict

__all__ = ["OllamaProvider", "open_provider"]

_COLD = 0.5


@asynccontextmanager
async def open_provider(config: OllamaConfig, environment: Environment) -> AsyncGenerator[OllamaProvider, None]:
    """A provider with an open connection pool; asks the server nothing yet.

    Raises:
        ConfigError: for options that the server would refuse or ignore, and for a local instance that is not local.
    """
    check(config, environment.path)
    client = HttpClient(
        config.base_url,
        path=environment.path,
        auth=await environment.auth("none"),
        headers=config.headers,
        settings=config.http,
        tls=config.tls,
        errors=errors.ERRORS,
    )
    async with client:
        yield OllamaProvider(OllamaServer(config, client, path=environment.path), instance=environment.instance)


class OllamaProvider(BaseProvider):
    """Chat, embeddings, models and health. ``server`` does the rest: pulling, loading, unloading."""

    def __init__(self, server: OllamaServer, *, instance: str = "") -> None:
        self.server = server
        self._config, self._client = server.config, server.client
        self._instance = instance
        self._hosted = isinstance(server.config, CloudConfig)
        self._in_flight = 0

    def __repr__(self) -> str:
        return f"<OllamaProvider {self._instance or 'ollama'} at {self._client.base_url}>"

    async def generate(self, request: ChatRequest, _ctx: CallContext, /) -> ChatResponse:
        """The whole answer.

        Raises:
            ProviderError: ``ModelNotFound`` names similar models, ``Unsupported`` models that can, ``TransportFailed``
                how to start the server, ``ContextTooLong`` the setting to raise.
        """
        call = self._call(request, stream=False)
        self._in_flight += 1
        try:
            reply = await self._client.request("POST", "/api/chat", json=call.body)
            data = reply.mapping()
            if "error" in data:
                raise self._client.failure(data, status=reply.status)
            response = response_of(data, forced=call.forced, free=not self._hosted)
        except ProviderError as error:
            errors.raise_as(await self.server.explained(error, call.model, call.num_ctx), error)
        finally:
            self._in_flight -= 1
        cut = self._judged(request, call, response.usage.prompt_tokens)
        return response if cut is None else evolve(response, raw={**response.raw, "prompt_truncated": cut})

    @batched
    async def generate_stream(
        self, request: ChatRequest, _ctx: CallContext, /
    ) -> AsyncGenerator[Iterable[Event], None]:
        """The answer as it comes. Closing the generator closes the connection, at which the server stops generating.

        Raises:
            ProviderError: as for :meth:`generate`; ``TransportFailed`` also when the stream ends without its last line.
        """
        call = self._call(request, stream=True)
        reading = Reading(forced=call.forced, free=not self._hosted)
        self._in_flight += 1
        try:
            async with aclosing(self._batches(call, reading)) as batches:
                async for batch in batches:
                    events: list[Event] = []
                    try:
                        self._read(batch, reading, events, request, call)
                    except ProviderError:
                        yield events  # what came before the error was said
                        raise
                    yield events
        except ProviderError as error:
            errors.raise_as(await self.server.explained(error, call.model, call.num_ctx), error)
        finally:
            self._in_flight -= 1

    def _call(self, request: ChatRequest, *, stream: bool) -> ChatCall:
        call = chat_call(request, self._config, stream=stream)
        self._stay_local(call.model)
        return call

    async def _batches(self, call: ChatCall, reading: Reading) -> AsyncGenerator[list[dict[str, Any]], None]:
        async with (
            self._client.stream("POST", "/api/chat", json=call.body) as reply,
            aclosing(reply.ndjson_batches()) as batches,
        ):
            async for lines in batches:
                last = next((number for number, line in enumerate(lines) if line.get("done")), None)
                if last is not None and not any("error" in line for line in lines[: last + 1]):
                    yield lines[:last]
                    await reply.finish()  # the connection goes back to the pool only after the end of the body
                    yield lines[last : last + 1]
                    return
                yield lines
        reading.check_done()

    def _read(
        self,
        lines: list[dict[str, Any]],
        reading: Reading,
        events: list[Event],
        request: ChatRequest,
        call: ChatCall,
    ) -> None:
        """Add the events of the lines.

        Raises:
            ProviderError: when a line is an error, or makes no sense.
        """
        for line in lines:
            if "error" in line:
                raise self._client.failure(line)
            for event in reading.events(line):
                shown = event
                if type(event) is Finished and (cut := self._judged(request, call, reading.prompt_tokens)) is not None:
                    shown = _marked(event, cut)
                events.append(shown)

    def _judged(self, request: ChatRequest, call: ChatCall, counted: int | None) -> str | None:
        """``None`` if the server read the whole prompt; else how sure it is that it did not. Warns or raises."""
        found = verdict(request.messages, counted, call.num_ctx)
        if found == "whole":
            return None
        said = f"the server read only {counted} tokens of a longer prompt and dropped the rest"
        advice = errors.context_advice(said, call.num_ctx, self.server.path, call.model)
        if found == "cut" and self._config.overflow == "refuse":
            raise ContextTooLong(advice)
        if self._config.overflow != "ignore":
            warnings.warn(f"{call.model}: {advice}", PromptTruncated, stacklevel=3)
        return found

    def _stay_local(self, model: str) -> None:
        if not self._hosted and is_cloud(model):
            raise Unsupported(
                f"{model!r} runs on the hosted service, and the plugin `ollama` promises that prompts stay on your "
                'machines: make an instance with use = "ollama-cloud"'
            )

    async def embed(self, request: EmbeddingRequest, _ctx: CallContext, /) -> Embeddings:
        """One vector per text; texts that are too long are an error unless ``overflow`` allows to cut them.

        Raises:
            ProviderError: as for :meth:`generate`.
        """
        body = embed_body(request, self._config)
        self._stay_local(body["model"])
        self._in_flight += 1
        try:
            data = (await self._client.request("POST", "/api/embed", json=body)).mapping()
            vectors = vectors_in(data, len(request.texts))
        except ProviderError as error:
            num_ctx = body.get("options", {}).get("num_ctx")
            errors.raise_as(await self.server.explained(error, body["model"], num_ctx), error)
        finally:
            self._in_flight -= 1
        usage = usage_of(data, free=not self._hosted)
        return Embeddings(vectors=vectors, usage=usage, model=data.get("model"))

    async def models(self) -> Sequence[ModelInfo]:
        """The pulled models, with what each can do and the window it was made for.

        Raises:
            ProviderError: when the server cannot be asked.
        """
        tags = await self.server.tags()
        loaded = frozenset(map(name_of, await self.server.running()))
        found: list[ModelInfo] = []
        for listed in tags:
            shown = await self.server.show(name_of(listed)) if needs_details(listed) else None
            found.append(model_info(listed, shown, provider=self._instance, hosted=self._hosted, loaded=loaded))
        return found

    async def health(self) -> Health:
        """Whether the server answers, what it has loaded, and how busy it is with calls of this process.

        The server does not tell its queue, so ``load`` counts the calls of this process against ``parallel``; that the
        configured model has still to be loaded counts as half a load.
        """
        started = anyio.current_time()
        try:
            version = await self.server.version()
            running = () if self._hosted else await self.server.running()
        except ProviderError as error:
            return Health(healthy=False, detail=str(error))
        slots = self._config.parallel or 1
        cold = self._config.model is not None and with_tag(self._config.model) not in map(name_of, running)
        return Health(
            healthy=True,
            detail=described_load(version, running, self._in_flight, slots),
            latency=anyio.current_time() - started,
            load=min(1.0, self._in_flight / slots + (_COLD if cold and not self._hosted else 0.0)),
        )


def _marked(finished: Finished, cut: str) -> Finished:
    return Finished(finished.reason, {**finished.raw, "prompt_truncated": cut})
