from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import FileRef, Image, Message, Text, ToolCall, ToolChoice, ToolDef
from mlo.requests import ChatRequest, JsonObject, JsonSchema, Sampling
from mlo.responses import FinishReason
from mlo_mock.answers import chunks_of, compose, usage_of, vector_of
from mlo_mock.config import MockConfig

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = ToolDef(name="get_weather", parameters=CITY)
CLOCK = ToolDef(name="get_time")


def asking(text: str, **fields: object) -> ChatRequest:
    return ChatRequest(messages=(Message.user(text),), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "answer"), [("Привет", "Эхо: Привет"), ("hello", "Echo: hello"), ("", "Echo: "), ("ok, ё", "Эхо: ok, ё")]
)
def test_the_echo_speaks_the_language_of_the_user(said: str, answer: str) -> None:
    assert compose(asking(said)).text == answer


def test_the_echo_repeats_the_last_words_of_the_user() -> None:
    turns = (Message.user("Раз"), Message.assistant("Эхо: Раз"), Message.user("Два"), Message.assistant("Да?"))
    assert compose(ChatRequest(messages=turns)).text == "Эхо: Два"


def test_pictures_and_files_show_as_notes() -> None:
    parts = (Text("Что это? "), Image(data=b"x"), FileRef(id="f-1"))
    assert compose(ChatRequest(messages=(Message.user(parts),))).text == "Эхо: Что это? [image][file f-1]"


def test_a_fixed_answer_is_given_as_it_is() -> None:
    assert compose(asking("Привет", response_format=JsonObject()), "не JSON").text == "не JSON"


@given(st.text(), st.integers(1, 5) | st.none())
def test_chunks_add_up_to_the_text(text: str, size: int | None) -> None:
    chunks = chunks_of(text, size)
    assert "".join(chunks) == text
    assert all(chunks)


@given(st.text(), st.integers(0, 5))
def test_max_tokens_cuts_after_that_many_words(text: str, limit: int) -> None:
    whole = compose(asking("x"), text)
    cut = compose(asking("x", sampling=Sampling(max_tokens=limit)), text)
    assert whole.text.startswith(cut.text)
    assert len(cut.text.split()) <= limit
    assert cut.finish is (FinishReason.STOP if cut.text == whole.text else FinishReason.LENGTH)


def test_a_stop_sequence_ends_the_answer_before_it() -> None:
    answer = compose(asking("один, два; три", sampling=Sampling(stop=(";", ","))))
    assert answer.text == "Эхо: один"
    assert answer.finish is FinishReason.STOP


def test_reasoning_comes_when_it_is_asked_for() -> None:
    assert compose(asking("Привет", reasoning="low")).reasoning == "Меня просят: Привет"
    assert compose(asking("hi", reasoning="high")).reasoning == "They ask: hi"
    assert compose(asking("Привет", reasoning="off")).reasoning is None
    assert compose(asking("Привет")).reasoning is None


def calls(text: str, choice: ToolChoice | None = None) -> list[tuple[str, str]]:
    answer = compose(asking(text, tools=(WEATHER, CLOCK), tool_choice=choice))
    return [(call.name, call.arguments) for call in answer.calls]


def test_a_tool_that_the_prompt_names_is_called() -> None:
    assert calls("Вызови get_weather") == [("get_weather", '{"city": "city"}')]


def test_all_tools_that_the_prompt_names_are_called() -> None:
    assert [name for name, _ in calls("get_time и get_weather")] == ["get_weather", "get_time"]


def test_no_tool_is_called_unasked() -> None:
    assert calls("Привет") == []


def test_required_calls_the_first_tool_unless_another_is_named() -> None:
    assert [name for name, _ in calls("Привет", ToolChoice(mode="required"))] == ["get_weather"]
    assert [name for name, _ in calls("get_time", ToolChoice(mode="required"))] == ["get_time"]


def test_a_named_tool_is_called() -> None:
    assert [name for name, _ in calls("Привет", ToolChoice(mode="named", name="get_time"))] == ["get_time"]


def test_none_forbids_tools() -> None:
    assert calls("get_time", ToolChoice(mode="none")) == []


def test_a_name_that_is_no_tool_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match=r"names 'fly', which is not among the tools \(get_weather, get_time\)"):
        calls("Привет", ToolChoice(mode="named", name="fly"))


def test_after_the_result_of_a_tool_comes_the_answer() -> None:
    call = ToolCall(id="c1", name="get_weather")
    turns = (Message.user("get_weather"), Message.assistant(tool_calls=(call,)), Message.tool(call, "солнечно"))
    answer = compose(ChatRequest(messages=turns, tools=(WEATHER,), tool_choice=ToolChoice(mode="required")))
    assert answer.calls == ()
    assert answer.text == "Инструмент ответил: get_weather → солнечно"


def test_ids_of_tool_calls_differ_along_a_conversation() -> None:
    first = compose(asking("get_weather get_time", tools=(WEATHER, CLOCK))).calls
    later = ChatRequest(messages=(Message.user("а"), Message.assistant("б"), Message.user("get_time")), tools=(CLOCK,))
    ids = [call.id for call in (*first, *compose(later).calls)]
    assert len(set(ids)) == 3


def test_json_comes_as_an_object() -> None:
    assert json.loads(compose(asking("Привет", response_format=JsonObject())).text) == {"echo": "Привет"}


def test_a_schema_that_cannot_be_served_is_told_so() -> None:
    wanted = JsonSchema(schema={"type": "string", "pattern": "^a+$"})
    with pytest.raises(Unsupported, match=r"at \$: `pattern` is not understood; give a fixed `answer`"):
        compose(asking("Привет", response_format=wanted))


def test_usage_counts_words() -> None:
    request = asking("раз два три", reasoning="low")
    usage = usage_of(request, compose(request, "четыре пять"), MockConfig(cached_tokens=2))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 7, 10)
    assert (usage.cached_tokens, usage.reasoning_tokens, usage.source) == (2, 5, "vendor")


def test_no_more_tokens_are_cached_than_there_are() -> None:
    request = asking("раз")
    assert usage_of(request, compose(request), MockConfig(cached_tokens=9)).cached_tokens == 1


def test_usage_may_be_unknown() -> None:
    usage = usage_of(asking("раз"), compose(asking("раз")), MockConfig(usage="none"))
    assert (usage.prompt_tokens, usage.total_tokens) == (None, None)


@given(st.text(), st.integers(1, 100))
def test_a_vector_has_the_length_one_and_depends_on_the_text_alone(text: str, dimensions: int) -> None:
    vector = vector_of(text, dimensions)
    assert len(vector) == dimensions
    assert math.hypot(*vector) == pytest.approx(1)
    assert vector == vector_of(text, dimensions)


def test_texts_that_share_words_lie_closer() -> None:
    def near(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(vector_of(one, 64), vector_of(other, 64), strict=True))

    assert near("красная кошка", "рыжая кошка") > near("красная кошка", "синий автобус")
