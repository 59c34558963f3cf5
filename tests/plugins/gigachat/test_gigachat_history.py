from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo.errors import InvalidRequest, Unsupported
from mlo.messages import FileRef, Image, Message, Text, ToolCall
from mlo_emulators.gigachat.prompt import Turn
from mlo_emulators.gigachat.rules import check_history
from mlo_gigachat.callids import new_call_id, state_of
from mlo_gigachat.history import Line, lines

FIRST = ToolCall(id="c1", name="f", arguments='{"a": 1}')
SECOND = ToolCall(id="c2", name="g")


def roles(found: list[Line]) -> list[str]:
    return [line.role for line in found]


def test_system_messages_are_joined_and_come_first() -> None:
    turns = (Message.user("u"), Message.system("one"), Message.system("two"))
    found = lines(turns, merge_system=True)
    assert roles(found) == ["system", "user"]
    assert found[0].text == "one\n\ntwo"


@pytest.mark.parametrize(
    "turns",
    [
        (Message.user("u"), Message.system("late")),
        (Message.system("one"), Message.system("two"), Message.user("u")),
    ],
)
def test_merging_may_be_forbidden(turns: tuple[Message, ...]) -> None:
    with pytest.raises(Unsupported, match="one system message"):
        lines(turns, merge_system=False)


def test_one_system_message_in_front_is_always_fine() -> None:
    assert roles(lines((Message.system("s"), Message.user("u")), merge_system=False)) == ["system", "user"]


def test_parallel_calls_become_calls_one_after_the_other() -> None:
    turns = (
        Message.user("u"),
        Message.assistant("text", tool_calls=(FIRST, SECOND)),
        Message.tool(SECOND, '"two"'),
        Message.tool(FIRST, '{"r": 1}'),
    )
    found = lines(turns, merge_system=True)
    assert roles(found) == ["user", "assistant", "function", "assistant", "function"]
    assert [line.name for line in found[1:]] == ["f", "f", "g", "g"]
    assert [line.text for line in found[1:]] == ["text", '{"r": 1}', "", '"two"']
    assert found[1].arguments == {"a": 1}


def test_a_plain_text_result_becomes_json() -> None:
    turns = (Message.assistant(tool_calls=(FIRST,)), Message.tool(FIRST, "солнечно"))
    assert json.loads(lines(turns, merge_system=True)[1].text) == {"result": "солнечно"}


def test_the_state_travels_in_the_id() -> None:
    call = ToolCall(id=new_call_id("77d3fb14-457a"), name="f")
    found = lines((Message.assistant(tool_calls=(call,)), Message.tool(call, "1")), merge_system=True)
    assert [line.state for line in found] == ["77d3fb14-457a"] * 2


def test_a_result_without_ids_goes_with_the_only_call() -> None:
    turns = (Message.assistant(tool_calls=(FIRST,)), Message(role="tool", content="1"))
    assert lines(turns, merge_system=True)[1].name == "f"


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ((Message.user("u"), Message.tool(FIRST, "1")), r"messages\[1\] is a tool's result"),
        (
            (Message.assistant(tool_calls=(FIRST,)), Message.user("u")),
            r"messages\[0\]: the call c1 of 'f' has no result",
        ),
        ((Message.assistant(tool_calls=(FIRST,)), Message.tool(SECOND, "1")), "the call c1 of 'f' has no result"),
        (
            (Message.assistant(tool_calls=(FIRST,)), Message.tool(FIRST, "1"), Message.tool(FIRST, "2")),
            r"messages\[2\] is a result of a call that messages\[0\] does not make",
        ),
        (
            (
                Message.assistant(tool_calls=(ToolCall(id="x", name="f", arguments="[1]"),)),
                Message(role="tool", tool_call_id="x"),
            ),
            r"messages\[0\]: arguments of tool call x",
        ),
    ],
)
def test_broken_histories_are_refused_by_place(turns: tuple[Message, ...], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        lines(turns, merge_system=True)


def test_files_are_attached() -> None:
    message = Message.user([Text("смотри"), FileRef(id="f-1"), FileRef(id="f-2")])
    (line,) = lines((message,), merge_system=True)
    assert (line.text, line.files) == ("смотри", ("f-1", "f-2"))


def test_a_picture_must_have_been_uploaded() -> None:
    with pytest.raises(Unsupported, match="must be uploaded"):
        lines((Message.user([Image(data=b"x")]),), merge_system=True)


@given(st.text())
def test_any_text_may_be_a_result(text: str) -> None:
    turns = (Message.assistant(tool_calls=(FIRST,)), Message.tool(FIRST, text))
    json.loads(lines(turns, merge_system=True)[1].text)


_TURNS = st.lists(
    st.one_of(
        st.just("user"),
        st.just("system"),
        st.just("assistant"),
        st.integers(1, 3),  # a number: so many parallel calls
    ),
    min_size=1,
    max_size=8,
)


@given(_TURNS)
def test_every_whole_conversation_fits_the_rules_of_the_service(turns: list[str | int]) -> None:
    messages: list[Message] = []
    for number, turn in enumerate(turns):
        if isinstance(turn, int):
            calls = tuple(ToolCall(id=f"{number}-{index}", name=f"f{index}") for index in range(turn))
            messages += [Message.assistant(tool_calls=calls), *(Message.tool(call, "ok") for call in reversed(calls))]
        else:
            messages.append(Message(role=turn, content="t"))
    found = lines(messages, merge_system=True)
    check_history(
        [
            Turn(role=line.role, call={"name": line.name} if line.name and line.role == "assistant" else None)
            for line in found
        ]
    )


@given(st.from_regex(r"[0-9A-Za-z-]{1,40}", fullmatch=True))
def test_ids_carry_their_state_and_are_unique(state: str) -> None:
    one, two = new_call_id(state), new_call_id(state)
    assert one != two
    assert state_of(one) == state_of(two) == state


@pytest.mark.parametrize("state", [None, "", "a b", "a_b", "x\n"])
def test_an_odd_state_is_dropped(state: str | None) -> None:
    assert state_of(new_call_id(state)) is None


@pytest.mark.parametrize("call_id", [None, "", "call_1", "toolu_01", "giga__1"])
def test_foreign_ids_have_no_state(call_id: str | None) -> None:
    assert state_of(call_id) is None
