"""How ``mlo-openai-compat`` is opened for the contract kit: against that side of an emulated Ollama."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from mlo.api import ProviderSpec
from mlo.errors import AuthFailed, ModelNotFound, ServerFault, TransportFailed
from mlo.models import Capability
from mlo_emulators.ollama import Options, create_app
from mlo_emulators.server import running
from mlo_sdk.testing import Failure, ProviderContract, offered

__all__ = ["TestOpenAICompat", "openai_url"]


@pytest.fixture(scope="module", name="openai_url")
def openai_url() -> Iterator[str]:
    """A server that pauses everywhere, so that there are places to cancel at."""
    with running(create_app(Options(chunk_delay=0.002, wire_chunk=11, parallel=4))) as server:
        yield f"{server.url}/v1"


class TestOpenAICompat(ProviderContract):
    """Without a preset."""

    spec = offered(ProviderSpec, "openai-compat")
    deterministic = True
    capabilities = frozenset(
        {
            Capability.CHAT,
            Capability.STREAM,
            Capability.JSON_OBJECT,
            Capability.JSON_SCHEMA,
            Capability.EMBEDDINGS,
        }
    )

    @pytest.fixture
    def table(self, openai_url: str) -> Mapping[str, Any]:
        """A model for chat and one for embeddings."""
        return {"base_url": openai_url, "model": "tiny", "embedding_model": "tiny-embed"}

    @pytest.fixture
    def failures(self) -> Iterator[Mapping[str, Failure]]:
        """Servers that are broken, locked or not there."""
        with ExitStack() as stack:

            def broken(error: type[Exception], **options: Any) -> Failure:
                url = stack.enter_context(running(create_app(Options(**options)))).url
                return Failure(error=error, table={"base_url": f"{url}/v1"})

            yield {
                "no such model": Failure(error=ModelNotFound, table={"model": "nope"}),
                "a web page": broken(ServerFault, html=True),
                "crashed": broken(ServerFault, status=500),
                "key": broken(AuthFailed, api_key="another"),
                "down": Failure(error=TransportFailed, table={"base_url": "http://127.0.0.1:9/v1"}),
            }
