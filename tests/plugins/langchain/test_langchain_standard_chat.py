"""LangChain's own tests of chat models, over the mock and over emulated vendors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from mlo import Router
from mlo_langchain import MultiLLMOrchestrator
from tests.plugins.langchain.places import (
    JOKE,
    Open,
    gigachat_place,
    mock_place,
    ollama_place,
    router_over,
    understanding,
    yandexgpt_place,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:The method `.*dict` was deprecated"),
    pytest.mark.usefixtures("offline", "trusted"),
]


class Chat:
    """What every place has in common."""

    open: ClassVar[Open]
    answers: ClassVar[dict[str, Any]] = {"answer": JOKE}
    router: ClassVar[Router]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _served(cls) -> Iterator[None]:
        with understanding(), cls.open(**cls.answers) as place:
            cls.router = router_over(place)
            keeps_it_open = MultiLLMOrchestrator(router=cls.router)
            keeps_it_open.invoke("Hello")
            yield
            keeps_it_open.close()

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return MultiLLMOrchestrator

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"router": self.router}

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True


class TestMock(Chat, ChatModelIntegrationTests):
    open = mock_place
    answers: ClassVar[dict[str, Any]] = {"answer": JOKE, "cached_tokens": 1, "models": ("mock", "other")}

    @property
    def model_override_value(self) -> str:
        return "other"

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def supported_usage_metadata_details(self) -> Any:
        return {name: ["cache_read_input", "reasoning_output"] for name in ("invoke", "stream")}

    def _spoken(self, *, stream: bool, **settings: Any) -> AIMessage:
        model = MultiLLMOrchestrator(router=self.router, **settings)
        if not stream:
            return model.invoke("Hello")
        first, *rest = model.stream("Hello")
        for chunk in rest:
            first += chunk
        return first

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        return self._spoken(stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        return self._spoken(stream=stream, reasoning="low")


class TestGigaChat(Chat, ChatModelIntegrationTests):
    open = gigachat_place

    @property
    def has_tool_choice(self) -> bool:
        return False  # a call of any one of several functions cannot be forced

    @property
    def model_override_value(self) -> str:
        return "GigaChat-2-Max"


class TestYandexGpt(Chat, ChatModelIntegrationTests):
    open = yandexgpt_place

    @property
    def supports_image_inputs(self) -> bool:
        return False  # the models that see pictures are not YandexGPT

    @property
    def model_override_value(self) -> str:
        return "yandexgpt-lite"


class TestOllama(Chat, ChatModelIntegrationTests):
    open = ollama_place

    @property
    def supports_image_tool_message(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "other"


class FromFile:
    """A model as a program makes it; nothing is opened."""

    route: ClassVar[str]

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return MultiLLMOrchestrator

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"config_file": "mlo.toml", "route": self.route}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"MLO_CONFIG": "mlo.toml"}, {"route": self.route}, {"route": self.route}


class TestMockUnit(FromFile, ChatModelUnitTests):
    route = "mock"


class TestGigaChatUnit(FromFile, ChatModelUnitTests):
    route = "gigachat"


class TestYandexGptUnit(FromFile, ChatModelUnitTests):
    route = "yandexgpt"


class TestOllamaUnit(FromFile, ChatModelUnitTests):
    route = "ollama"
