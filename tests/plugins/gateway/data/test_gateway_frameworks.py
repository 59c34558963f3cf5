"""Frameworks that nobody here wrote, pointed at the gateway by its address alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import agents
import httpx
import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.openai import OpenAIResponsesModel as PydanticResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from .running import Served

MODELS = ["mock", "giga", "local", "relayed"]
SAID = "Какая погода в Москве?"


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture
def anyio_backend() -> str:
    """The frameworks run on asyncio alone."""
    return "asyncio"


@pytest.fixture
async def client(gateway: Served) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=gateway.url, api_key="anything", max_retries=0) as client:
        yield client


@tool
def weather(city: str) -> str:
    """Погода в городе."""
    return f"{city}: 21"


@pytest.fixture(params=MODELS)
def langchain(request: pytest.FixtureRequest, gateway: Served) -> Iterator[ChatOpenAI]:
    with httpx.Client() as http:
        yield ChatOpenAI(
            model=request.param,
            base_url=gateway.url,
            api_key="anything",  # type: ignore[arg-type]
            http_client=http,
            max_retries=0,
            use_responses_api=False,
        )


def test_langchain_asks_and_streams(langchain: ChatOpenAI) -> None:
    answer = langchain.invoke(SAID)
    pieces = list(langchain.stream(SAID))
    assert answer.text
    assert "".join(piece.text for piece in pieces) == answer.text
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] > 0


def test_langchain_calls_tools(langchain: ChatOpenAI) -> None:
    bound = langchain.bind_tools([weather], tool_choice="weather")
    first = bound.invoke(SAID)
    (call,) = first.tool_calls
    result = ToolMessage("21", tool_call_id=call["id"])
    second = langchain.bind_tools([weather]).invoke([HumanMessage(SAID), first, result])
    assert (call["name"], bool(second.text)) == ("weather", True)


def test_langchain_structured_output(langchain: ChatOpenAI) -> None:
    assert isinstance(langchain.with_structured_output(Person).invoke(SAID), Person)


def test_langchain_speaks_responses(gateway: Served) -> None:
    with httpx.Client() as http:
        model = ChatOpenAI(
            model="giga",
            base_url=gateway.url,
            api_key="anything",  # type: ignore[arg-type]
            http_client=http,
            use_responses_api=True,
        )
        answer = model.invoke(SAID)
        pieces = list(model.stream(SAID))
    assert answer.text
    assert "".join(piece.text for piece in pieces) == answer.text


def test_langchain_embeds(gateway: Served) -> None:
    with httpx.Client() as http:
        embeddings = OpenAIEmbeddings(
            model="giga",
            base_url=gateway.url,
            api_key="anything",  # type: ignore[arg-type]
            http_client=http,
            check_embedding_ctx_length=False,
        )
        vectors = embeddings.embed_documents(["раз", "два"])
    assert len(vectors) == 2
    assert len(vectors[0]) == len(vectors[1]) > 1


@pytest.mark.anyio
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", [OpenAIChatModel, PydanticResponsesModel])
async def test_pydantic_ai_runs_an_agent_with_a_tool(client: AsyncOpenAI, name: str, kind: Any) -> None:
    cities: list[str] = []
    agent: PydanticAgent[None, str] = PydanticAgent(kind(name, provider=OpenAIProvider(openai_client=client)))

    @agent.tool_plain
    def forecast(city: str) -> str:
        """Погода в городе."""
        cities.append(city)
        return "21"

    result = await agent.run(SAID if name != "mock" else "forecast")
    assert result.output
    assert result.usage.total_tokens > 0
    assert cities or name == "mock"  # the mock calls a tool only when it has to


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [OpenAIChatModel, PydanticResponsesModel])
async def test_pydantic_ai_streams_and_structures(client: AsyncOpenAI, kind: Any) -> None:
    model = kind("mock", provider=OpenAIProvider(openai_client=client))
    agent = PydanticAgent(model)
    async with agent.run_stream(SAID) as run:
        text = "".join([piece async for piece in run.stream_text(delta=True)])
    person = await PydanticAgent(model, output_type=Person).run(SAID)
    assert SAID in text
    assert isinstance(person.output, Person)


@function_tool
def forecast(city: str) -> str:
    """Погода в городе."""
    return f"{city}: 21"


@pytest.fixture
def no_traces() -> None:
    agents.set_tracing_disabled(True)


@pytest.mark.anyio
@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
async def test_openai_agents_run_with_a_tool(client: AsyncOpenAI, name: str, kind: Any) -> None:
    agent = Agent(
        name="forecaster",
        instructions="Отвечай кратко",
        model=kind(model=name, openai_client=client),
        tools=[forecast],
        model_settings=ModelSettings(tool_choice="required"),
    )
    result = await Runner.run(agent, SAID)
    assert any(item.type == "tool_call_output_item" for item in result.new_items)
    assert result.final_output


@pytest.mark.anyio
@pytest.mark.usefixtures("no_traces")
async def test_openai_agents_stream_by_default_over_responses(client: AsyncOpenAI) -> None:
    agents.set_default_openai_client(client, use_for_tracing=False)
    agent = Agent(name="speaker", model="giga")
    result = Runner.run_streamed(agent, SAID)
    text = ""
    async for event in result.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            text += event.data.delta
    assert text == result.final_output != ""


@pytest.mark.anyio
@pytest.mark.usefixtures("no_traces")
async def test_openai_agents_structure_their_output(client: AsyncOpenAI) -> None:
    agent = Agent(name="clerk", model=OpenAIResponsesModel(model="mock", openai_client=client), output_type=Person)
    result = await Runner.run(agent, SAID)
    assert isinstance(result.final_output, Person)
