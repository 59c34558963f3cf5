"""Agents of LangGraph and LangChain over a route of three vendors, one of which fails in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import frozen
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from mlo_langchain import MultiLLMOrchestrator
from tests.plugins.langchain.places import Place, gigachat_place, mock_place, ollama_place, router_over, yandexgpt_place

QUESTION: Any = {"messages": [("user", "Спроси get_weather и convert, потом ответь.")]}


@frozen
class Bench:
    """Three vendors, and two tools, the first of which takes the first vendor down when it runs."""

    places: tuple[Place, Place, Place]
    model: MultiLLMOrchestrator
    tools: list[BaseTool]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with yandexgpt_place() as yandex, gigachat_place() as giga, ollama_place() as ollama:

        @tool
        def get_weather(city: str) -> str:
            """Погода в городе."""
            yandex.fail()
            return f"{city}: +7"

        @tool
        def convert(amount: int) -> str:
            """Рубли в копейки."""
            return f"{amount} р."

        places = (yandex, giga, ollama)
        yield Bench(places, MultiLLMOrchestrator(router=router_over(*places)), [get_weather, convert])


def react(bench: Bench) -> Any:
    """The graph that every tutorial builds."""
    model = bench.model.bind_tools(bench.tools)

    async def think(state: MessagesState) -> dict[str, list[AnyMessage]]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("think", think)
    graph.add_node("tools", ToolNode(bench.tools))
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", tools_condition)
    graph.add_edge("tools", "think")
    return graph.compile()


def check(messages: list[AnyMessage]) -> None:
    asked, answered = [message for message in messages if isinstance(message, AIMessage)]
    assert {call["name"] for call in asked.tool_calls} == {"get_weather", "convert"}
    assert asked.response_metadata["provider"] == "p0"
    assert sum(isinstance(message, ToolMessage) for message in messages) == 2
    assert answered.text
    assert answered.response_metadata["provider"] == "p1"
    failed, served = answered.response_metadata["attempts"]
    assert (failed["target"], served["target"]) == ("p0", "p1")
    assert failed["error"] in {"Overloaded", "ServerFault"}


def test_a_graph_goes_on_with_the_next_vendor(bench: Bench) -> None:
    result = asyncio.run(react(bench).ainvoke(QUESTION))
    check(result["messages"])


def test_an_agent_goes_on_with_the_next_vendor(bench: Bench) -> None:
    agent = create_agent(bench.model, bench.tools, system_prompt="Отвечай кратко.")
    check(agent.invoke(QUESTION)["messages"])


def test_an_agent_streams_what_it_says(bench: Bench) -> None:
    agent = create_agent(bench.model, bench.tools)

    async def said() -> str:
        pieces = agent.astream(QUESTION, stream_mode="messages")
        found: list[Any] = [piece async for piece, _ in pieces]
        return "".join(piece.text for piece in found if isinstance(piece, AIMessageChunk))

    assert "1 р." in asyncio.run(said())


def test_an_agent_takes_the_route_of_its_caller(bench: Bench) -> None:
    router = router_over(*bench.places)
    router.add_route("local", ["p2"])
    agent = create_agent(MultiLLMOrchestrator(router=router), bench.tools)
    found = agent.invoke(QUESTION, config={"configurable": {"mlo_route": "local"}})
    answers = [message for message in found["messages"] if isinstance(message, AIMessage)]
    assert {answer.response_metadata["target"] for answer in answers} == {"p2"}


class Report(BaseModel):
    """Итог."""

    city: str


def test_an_agent_answers_with_a_structure() -> None:
    with mock_place() as place:
        agent = create_agent(MultiLLMOrchestrator(router=router_over(place)), [], response_format=Report)
        found = agent.invoke(QUESTION)
    assert isinstance(found["structured_response"], Report)
