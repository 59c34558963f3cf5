"""Arguments of one call that are of the wrong kind: refused by name, before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from mlo import Router
from mlo.errors import InvalidRequest
from mlo_langchain import MultiLLMEmbeddings, MultiLLMOrchestrator
from tests.kernel.scripted import Scripted

FUNCTION = {"type": "function", "function": {"name": "f"}}


@pytest.fixture
def provider() -> Scripted:
    return Scripted("s")


@pytest.fixture
def model(provider: Scripted) -> MultiLLMOrchestrator:
    router = Router()
    router.add_provider("s", provider)
    return MultiLLMOrchestrator(router=router)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"deadline": "soon"}, "deadline"),
        ({"route": 5}, "route"),
        ({"reasoning": "extreme"}, "reasoning.*'low'"),
        ({"extra": "x"}, "extra"),
        ({"request_metadata": {"a": 1}}, "request_metadata"),
        ({"stop": [1]}, "stop"),
        ({"tools": ["f"]}, r"tools\[0\]"),
        ({"tools": [FUNCTION, {"type": "function", "function": {}}]}, r"tools\[1\].*name"),
        ({"response_format": {"type": "json_schema"}}, "response_format.*json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format.*schema"),
        ({"response_format": int}, "response_format"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(
    model: MultiLLMOrchestrator, provider: Scripted, wrong: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidRequest, match=named):
        model.invoke("q", **wrong)
    assert not provider.seen


def test_a_wrong_argument_is_not_repeated(model: MultiLLMOrchestrator) -> None:
    with pytest.raises(InvalidRequest) as caught:
        model.invoke("q", extra="a secret")
    assert "a secret" not in str(caught.value)


def test_a_wrong_value_in_the_configuration_of_a_run_is_named(model: MultiLLMOrchestrator) -> None:
    with pytest.raises(InvalidRequest, match="deadline"):
        model.invoke("q", {"configurable": {"mlo_deadline": "soon"}})


def test_arguments_are_read_like_fields(model: MultiLLMOrchestrator, provider: Scripted) -> None:
    model.invoke("q", temperature="0.5")
    assert provider.seen[0].sampling.temperature == 0.5


def test_one_call_may_be_given_a_timeout_and_a_model_name(model: MultiLLMOrchestrator, provider: Scripted) -> None:
    model.invoke("q", timeout=5, model_name="m")
    assert provider.seen[0].model == "m"


@pytest.mark.parametrize("wrong", ["text", ["text", 5]], ids=["a text alone", "a number"])
def test_only_lists_of_texts_are_embedded(provider: Scripted, wrong: Any) -> None:
    router = Router()
    router.add_provider("s", provider)
    with pytest.raises(InvalidRequest, match="list of texts"):
        MultiLLMEmbeddings(router=router).embed_documents(wrong)
