from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.messages import Message, ToolCall
from mlo.requests import ChatRequest, EmbeddingRequest, JsonObject
from mlo.responses import ChatResponse, FinishReason
from mlo_routing.cascade import Cascade, is_good_enough
from mlo_routing.options import REFUSALS, CascadeOptions
from mlo_sdk.testing import target
from tests.plugins.routing.walks import steps

ASK = ChatRequest.of("Привет")
PLACES = [target(name) for name in "abc"]


def answer(text: str, finish: FinishReason = FinishReason.STOP) -> ChatResponse:
    return ChatResponse(message=Message.assistant(text), finish_reason=finish)


def passes(text: str, finish: FinishReason = FinishReason.STOP, *, wants_json: bool = False, **options: object) -> bool:
    return is_good_enough(answer(text, finish), CascadeOptions(**options), wants_json=wants_json)  # type: ignore[arg-type]


def test_all_but_the_last_answer_must_pass() -> None:
    assert [step.accept is None for step in steps(Cascade(), ASK, PLACES)] == [False, False, True]


def test_a_single_target_is_always_accepted() -> None:
    assert [step.accept for step in steps(Cascade(), ASK, PLACES[:1])] == [None]


def test_embeddings_are_not_judged() -> None:
    assert {step.accept for step in steps(Cascade(), EmbeddingRequest(texts=("раз",)), PLACES)} == {None}


def test_a_plain_answer_passes() -> None:
    assert passes("Столица Франции — Париж.")


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_answer_does_not_pass(text: str) -> None:
    assert not passes(text)


def test_a_short_answer_does_not_pass_where_length_counts() -> None:
    assert not passes("Да.", min_length=10)
    assert passes("Да, и вот почему.", min_length=10)


@pytest.mark.parametrize(
    ("finish", "option"), [(FinishReason.LENGTH, "truncated"), (FinishReason.CONTENT_FILTER, "filtered")]
)
def test_an_answer_that_was_stopped_passes_only_where_allowed(finish: FinishReason, option: str) -> None:
    assert not passes("Начало ответа", finish)
    assert passes("Начало ответа", finish, **{option: True})


@pytest.mark.parametrize("phrase", REFUSALS)
def test_a_refusal_does_not_pass(phrase: str) -> None:
    assert not passes(f"К сожалению, {phrase.upper()} в этом.")


def test_a_typographic_apostrophe_is_one() -> None:
    assert not passes("I can\N{RIGHT SINGLE QUOTATION MARK}t help with that.")


def test_a_refusal_quoted_late_is_not_one() -> None:
    assert passes("Слово " * 100 + "«не могу помочь»")


def test_refusals_may_be_switched_off() -> None:
    assert passes("Не могу помочь.", refusals=())


def test_a_tool_call_is_an_answer() -> None:
    call = ToolCall(id="1", name="get_weather")
    response = ChatResponse(message=Message.assistant(tool_calls=(call,)), finish_reason=FinishReason.TOOL_CALLS)
    assert is_good_enough(response, CascadeOptions(min_length=100), wants_json=True)


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_json_passes_whole_and_not_cut(value: dict[str, object]) -> None:
    text = json.dumps(value)
    assert passes(text, wants_json=True, refusals=())
    assert not passes(text[:-1], wants_json=True, refusals=())


def accepts(text: str, request: ChatRequest, mode: Literal["auto", "always", "never"]) -> bool:
    (first, *_) = steps(Cascade(CascadeOptions(json=mode)), request, PLACES)
    assert first.accept is not None
    return first.accept(answer(text))


def test_json_is_asked_of_an_answer_to_a_request_for_json() -> None:
    wanted = ChatRequest(messages=ASK.messages, response_format=JsonObject())
    assert [accepts("{oops", wanted, mode) for mode in ("auto", "always", "never")] == [False, False, True]
    assert [accepts("{oops", ASK, mode) for mode in ("auto", "always", "never")] == [True, False, True]
