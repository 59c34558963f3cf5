from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from mlo.errors import (
    AuthFailed,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProtocolViolated,
    ServerFault,
    TransportFailed,
)
from mlo.events import Event
from mlo.models import Capability
from mlo_emulators.ollama import Options, create_app
from mlo_emulators.server import RunningServer, running
from mlo_ollama.plugin import mlo_providers
from mlo_sdk.testing import Failure, ProviderContract

from .conftest import Serve
from .wires import SAMPLES, parsed

SPECS = {spec.name: spec for spec in mlo_providers()}


class TestOllama(ProviderContract):
    spec = SPECS["ollama"]
    deterministic = True
    samples = SAMPLES

    def parse(self, chunks: Iterable[bytes]) -> Sequence[Event]:
        return parsed(chunks)

    @pytest.fixture
    def table(self, server: RunningServer) -> Mapping[str, Any]:
        return {"base_url": server.url, "model": "tiny-thinker:8b", "embedding_model": "tiny-embed"}

    @pytest.fixture
    def failures(self, serve: Serve) -> Mapping[str, Failure]:
        def broken(error: type[Exception], **options: Any) -> Failure:
            streams = not {"cut", "reset"} & options.keys()
            return Failure(error=error, table={"base_url": serve(**options).url}, streams=streams)

        return {
            "not pulled": Failure(error=ModelNotFound, table={"model": "nope"}),
            "busy": broken(Overloaded, max_queue=0),
            "crashed": broken(ServerFault, status=500),
            "load": broken(ServerFault, load_fails=True),
            "gateway": broken(ServerFault, html=True),
            "key": broken(AuthFailed, api_key="another"),
            "down": Failure(error=TransportFailed, table={"base_url": "http://127.0.0.1:9"}),
            "too long": Failure(error=ContextTooLong, table={"num_ctx": 4}, prompt="слово " * 50),
        }


@pytest.fixture(scope="module")
def slow() -> Iterator[RunningServer]:
    with running(create_app(Options(chunk_delay=0.002, wire_chunk=11, parallel=4))) as server:
        yield server


class TestSlowOllama(ProviderContract):
    """Pauses everywhere, so that there are places to cancel at."""

    spec = SPECS["ollama"]
    deterministic = True

    @pytest.fixture
    def table(self, slow: RunningServer) -> Mapping[str, Any]:
        return {"base_url": slow.url, "model": "tiny-thinker:8b", "embedding_model": "tiny-embed", "parallel": 4}


class TestOllamaCloud(ProviderContract):
    spec = SPECS["ollama-cloud"]
    capabilities = frozenset({Capability.CHAT, Capability.STREAM})

    @pytest.fixture
    def table(self, server: RunningServer) -> Mapping[str, Any]:
        return {"base_url": server.url, "model": "tiny"}


def test_a_web_page_is_not_an_answer() -> None:
    with pytest.raises(ProtocolViolated):
        parsed([b"<html>\n"])
