"""The provider contract, over the OpenAI-compatible side of an emulated Ollama server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mlo.errors import AuthFailed, ModelNotFound, ServerFault, TransportFailed
from mlo.events import Event
from mlo.models import Capability
from mlo_emulators.ollama import Options, create_app
from mlo_emulators.server import RunningServer, running
from mlo_openai_compat.plugin import mlo_providers
from mlo_sdk import SseParser
from mlo_sdk.openai_compat import ChunkReader, Dialect
from mlo_sdk.testing import Failure, ProviderContract, RelayContract

(SPEC,) = mlo_providers()
_CHAT = frozenset({Capability.CHAT, Capability.STREAM, Capability.JSON_OBJECT, Capability.JSON_SCHEMA})
_ALL = _CHAT | {Capability.EMBEDDINGS}
_SAMPLES = tuple(file.read_bytes() for file in sorted((Path(__file__).parent / "samples").glob("*.sse")))


def parsed(chunks: Iterable[bytes]) -> Sequence[Event]:
    """The events of a body, as the provider reads it."""
    parser, reader = SseParser(), ChunkReader(Dialect())
    events: list[Event] = []
    for chunk in chunks:
        for frame in parser.feed(chunk):
            if frame.data == "[DONE]":
                return [*events, reader.finished()]
            events.extend(reader.events(json.loads(frame.data)))
    raise TransportFailed("cut")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running(create_app(Options(wire_chunk=11, parallel=4))) as found:
        yield found


class TestOnOllama(ProviderContract):
    spec = SPEC
    capabilities = _ALL
    deterministic = True
    samples = _SAMPLES

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        return parsed(chunks)

    @pytest.fixture
    def table(self, server: RunningServer) -> Mapping[str, Any]:
        return {"base_url": f"{server.url}/v1", "model": "tiny", "embedding_model": "tiny-embed"}

    @pytest.fixture
    def failures(self) -> Iterator[Mapping[str, Failure]]:
        with ExitStack() as stack:

            def broken(error: type[Exception], *, streams: bool = True, **options: Any) -> Failure:
                url = stack.enter_context(running(create_app(Options(**options)))).url
                return Failure(error=error, table={"base_url": f"{url}/v1"}, streams=streams)

            yield {
                "no such model": Failure(error=ModelNotFound, table={"model": "nope"}),
                "gateway": broken(ServerFault, html=True),
                "crashed": broken(ServerFault, status=500),
                "key": broken(AuthFailed, api_key="another"),
                "down": Failure(error=TransportFailed, table={"base_url": "http://127.0.0.1:9/v1"}),
                "never answers": Failure(
                    error=TransportFailed,
                    table={
                        "base_url": f"{stack.enter_context(running(create_app(Options(hang=True)))).url}/v1",
                        "http": {"timeouts": {"first_byte": 0.2}},
                    },
                ),
            }


@pytest.fixture(scope="module")
def slow() -> Iterator[RunningServer]:
    with running(create_app(Options(chunk_delay=0.002, parallel=4))) as found:
        yield found


class TestOnSlowOllama(ProviderContract):
    """Pauses everywhere, so that there are places to cancel at."""

    spec = SPEC
    capabilities = _ALL

    @pytest.fixture
    def table(self, slow: RunningServer) -> Mapping[str, Any]:
        return {"base_url": f"{slow.url}/v1", "model": "tiny", "embedding_model": "tiny-embed"}


class TestRelayOnSlowOllama(RelayContract):
    spec = SPEC

    @pytest.fixture
    def table(self, slow: RunningServer) -> Mapping[str, Any]:
        return {"base_url": f"{slow.url}/v1", "model": "tiny"}

    @pytest.fixture
    def failures(self) -> Iterator[Mapping[str, Failure]]:
        with running(create_app(Options(status=500))) as broken, running(create_app(Options(api_key="k"))) as locked:
            yield {
                "no such model": Failure(error=ModelNotFound, table={"model": "nope"}),
                "crashed": Failure(error=ServerFault, table={"base_url": f"{broken.url}/v1"}),
                "key": Failure(error=AuthFailed, table={"base_url": f"{locked.url}/v1"}),
                "down": Failure(error=TransportFailed, table={"base_url": "http://127.0.0.1:9/v1"}),
            }


class TestRelayOnSlowOllamaByHttpx(RelayContract):
    spec = SPEC

    @pytest.fixture
    def table(self, slow: RunningServer) -> Mapping[str, Any]:
        return {"base_url": f"{slow.url}/v1", "model": "tiny", "http": {"transport": "httpx"}}


class TestOnSlowOllamaByAiohttp(TestOnSlowOllama):
    spec = SPEC
    capabilities = _ALL

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def table(self, slow: RunningServer) -> Mapping[str, Any]:
        options = {"base_url": f"{slow.url}/v1", "model": "tiny", "embedding_model": "tiny-embed"}
        return {**options, "http": {"transport": "aiohttp"}}
