from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlo import Message
from mlo_cli.conversation import Conversation
from mlo_cli.routers import Aim
from mlo_cli.session import suggestions
from mlo_cli.slash import COMMANDS, Names, execute, is_command

NAMES = Names(routes=("default", "private"), providers=("giga", "local"))


@pytest.fixture
def talk() -> Conversation:
    conversation = Conversation()
    conversation.add("One?", "1")
    return conversation


def say(line: str, conversation: Conversation) -> str:
    return execute(line, conversation, NAMES).say


def test_request_holds_what_was_said(talk: Conversation) -> None:
    talk.system = "Be brief."
    said = talk.request("Two?").messages
    assert said == (
        Message.system("Be brief."),
        Message.user("One?"),
        Message.assistant("1"),
        Message.user("Two?"),
    )


def test_partial_answer_stays_in_the_conversation(talk: Conversation) -> None:
    talk.add("Two?", "2 and", interrupted=True)
    assert talk.request("Go on").messages[-2] == Message.assistant("2 and")
    assert "*interrupted*" in talk.as_markdown()


def test_question_without_any_answer_is_not_sent_again(talk: Conversation) -> None:
    talk.add("Two?", "", interrupted=True)
    assert [message.text for message in talk.request("Three?").messages] == ["One?", "1", "Three?"]


def test_retry_takes_the_last_answer_back(talk: Conversation) -> None:
    assert execute("/retry", talk, NAMES).ask == "One?"
    assert talk.turns == []


def test_retry_repeats_a_question_without_answer(talk: Conversation) -> None:
    talk.add("Two?", "", interrupted=True)
    assert execute("/retry", talk, NAMES).ask == "Two?"
    assert len(talk.turns) == 1


def test_retry_without_a_question_says_so() -> None:
    assert say("/retry", Conversation()) == "nothing was asked yet"


def test_clear_forgets_what_was_said(talk: Conversation) -> None:
    say("/clear", talk)
    assert talk.request("x").messages == (Message.user("x"),)


def test_model_is_chosen_and_reset(talk: Conversation) -> None:
    assert say("/model big", talk) == "model: big"
    assert talk.aim.model == "big"
    assert say("/model", talk) == "model: big"
    assert say("/model -", talk) == "model: not set"


def test_route_and_target_replace_each_other(talk: Conversation) -> None:
    say("/route private", talk)
    assert talk.aim == Aim(route="private")
    say("/target giga:Pro", talk)
    assert talk.aim == Aim(target="giga:Pro")
    say("/route default", talk)
    assert talk.aim == Aim(route="default")


@pytest.mark.parametrize("kind", ["route", "target"])
def test_dash_resets(kind: str, talk: Conversation) -> None:
    talk.aim = Aim(route="private") if kind == "route" else Aim(target="giga")
    assert say(f"/{kind} -", talk) == f"{kind}: not set"
    assert talk.aim == Aim()


@pytest.mark.parametrize(("line", "known"), [("/route no", "default, private"), ("/target no:x", "giga, local")])
def test_unknown_names_are_refused_with_the_known_ones(line: str, known: str, talk: Conversation) -> None:
    assert known in say(line, talk)
    assert talk.aim == Aim()


def test_system_is_set_and_removed(talk: Conversation) -> None:
    say("/system Speak like a pirate", talk)
    assert talk.system == "Speak like a pirate"
    say("/system -", talk)
    assert talk.system is None


def test_save_writes_markdown(home: Path, talk: Conversation) -> None:
    talk.system = "Be brief."
    assert say("/save ~/talk.md", talk) == f"saved to {home / 'talk.md'}"
    assert (home / "talk.md").read_text() == "> Be brief.\n\n## Question\n\nOne?\n\n## Answer\n\n1\n"


def test_save_writes_json(home: Path, talk: Conversation) -> None:
    say("/save talk.json", talk)
    saved = json.loads((home / "talk.json").read_text())
    assert saved == {"system": None, "turns": [{"question": "One?", "answer": "1", "interrupted": False}]}


def test_save_does_not_overwrite(home: Path, talk: Conversation) -> None:
    (home / "x.md").write_text("precious")
    assert say("/save x.md", talk) == "x.md exists already"
    assert (home / "x.md").read_text() == "precious"


@pytest.mark.parametrize(("line", "answer"), [("/save", "which file?"), ("/save no/such/x.md", "No such file")])
def test_save_says_why_not(line: str, answer: str, talk: Conversation) -> None:
    assert answer in say(line, talk)


def test_help_names_every_command(talk: Conversation) -> None:
    listed = say("/help", talk)
    assert all(f"/{name}" in listed for name in COMMANDS)


def test_exit_leaves(talk: Conversation) -> None:
    assert execute("/exit", talk, NAMES).leave


def test_unknown_command_names_a_near_one(talk: Conversation) -> None:
    assert say("/modle x", talk).endswith("did you mean /model?")
    assert say("/", talk).startswith("there is no command /")


@pytest.mark.parametrize(("line", "expected"), [("/help", True), ("//etc/hosts?", False), ("help", False)])
def test_two_slashes_are_no_command(line: str, expected: bool) -> None:
    assert is_command(line) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("/mo", "/model "),
        ("/route pri", "private"),
        ("/target ", "giga"),
    ],
)
def test_tab_offers_commands_and_names(line: str, expected: str) -> None:
    assert expected in suggestions(line, NAMES)


@pytest.mark.parametrize("line", ["hello", "hello /ro", "/system rou", "/model x"])
def test_tab_stays_out_of_ordinary_text(line: str) -> None:
    assert suggestions(line, NAMES) == []
