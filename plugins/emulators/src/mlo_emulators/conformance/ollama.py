"""How ``mlo-ollama`` is opened for the contract kit: against the emulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from mlo.api import ProviderSpec
from mlo.errors import AuthFailed, ModelNotFound, Overloaded, ServerFault, TransportFailed
from mlo.models import Capability
from mlo_emulators.ollama import Options, create_app
from mlo_emulators.server import running
from mlo_sdk.testing import Failure, ProviderContract, offered

__all__ = ["TestOllama", "TestOllamaCloud", "ollama_url"]

_OPTIONS = Options(chunk_delay=0.002, wire_chunk=11, parallel=4)


@pytest.fixture(scope="module", name="ollama_url")
def ollama_url() -> Iterator[str]:
    """A server that pauses everywhere, so that there are places to cancel at."""
    with running(create_app(_OPTIONS)) as server:
        yield server.url


class TestOllama(ProviderContract):
    """A server of one's own."""

    spec = offered(ProviderSpec, "ollama")
    deterministic = True

    @pytest.fixture
    def table(self, ollama_url: str) -> Mapping[str, Any]:
        """A model with tools and one for embeddings."""
        return {"base_url": ollama_url, "model": "tiny-thinker:8b", "embedding_model": "tiny-embed", "parallel": 4}

    @pytest.fixture
    def failures(self) -> Iterator[Mapping[str, Failure]]:
        """Servers that are busy, broken, locked or not there."""
        with ExitStack() as stack:

            def broken(error: type[Exception], **options: Any) -> Failure:
                url = stack.enter_context(running(create_app(Options(**options)))).url
                return Failure(error=error, table={"base_url": url})

            yield {
                "not pulled": Failure(error=ModelNotFound, table={"model": "nope"}),
                "busy": broken(Overloaded, max_queue=0),
                "crashed": broken(ServerFault, status=500),
                "key": broken(AuthFailed, api_key="another"),
                "down": Failure(error=TransportFailed, table={"base_url": "http://127.0.0.1:9"}),
            }


class TestOllamaCloud(ProviderContract):
    """The hosted service."""

    spec = offered(ProviderSpec, "ollama-cloud")
    capabilities = frozenset({Capability.CHAT, Capability.STREAM})

    @pytest.fixture
    def table(self, ollama_url: str) -> Mapping[str, Any]:
        """The emulator in place of the service."""
        return {"base_url": ollama_url, "model": "tiny"}
