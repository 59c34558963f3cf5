"""LangChain's own tests of embeddings, over the mock and over emulated vendors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from mlo import Router
from mlo_langchain import MultiLLMEmbeddings
from tests.plugins.langchain.places import (
    Open,
    gigachat_place,
    mock_place,
    ollama_place,
    router_over,
    yandexgpt_place,
)

pytestmark = pytest.mark.anyio


class Vectors:
    """What every place has in common."""

    open: ClassVar[Open]
    router: ClassVar[Router]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _served(cls) -> Iterator[None]:
        with cls.open() as place:
            cls.router = router_over(place)
            keeps_it_open = MultiLLMEmbeddings(router=cls.router)
            yield
            keeps_it_open.close()

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return MultiLLMEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"router": self.router}


class TestMockVectors(Vectors, EmbeddingsIntegrationTests):
    open = mock_place


class TestGigaChatVectors(Vectors, EmbeddingsIntegrationTests):
    open = gigachat_place


class TestYandexGptVectors(Vectors, EmbeddingsIntegrationTests):
    open = yandexgpt_place


class TestOllamaVectors(Vectors, EmbeddingsIntegrationTests):
    open = ollama_place


class FromFile:
    """Embeddings as a program makes them; nothing is opened."""

    route: ClassVar[str]

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return MultiLLMEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"config_file": "mlo.toml", "route": self.route}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"MLO_CONFIG": "mlo.toml"}, {"route": self.route}, {"route": self.route}


class TestMockVectorsUnit(FromFile, EmbeddingsUnitTests):
    route = "mock"


class TestGigaChatVectorsUnit(FromFile, EmbeddingsUnitTests):
    route = "gigachat"


class TestYandexGptVectorsUnit(FromFile, EmbeddingsUnitTests):
    route = "yandexgpt"


class TestOllamaVectorsUnit(FromFile, EmbeddingsUnitTests):
    route = "ollama"
