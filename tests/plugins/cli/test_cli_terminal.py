"""What a person sees and does: `mlo` in a real terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugins.cli.screen import Screen

SLOW = """
[providers.slow]
use = "mock"
answer = "one two three four five six seven eight nine ten eleven twelve"
chunk_delay = 0.2

[providers.fast]
use = "mock"

[providers.broken]
use = "mock"
break_after = 2
answer = "half of an answer"

[routes.default]
targets = ["slow"]

[routes.quick]
targets = ["fast"]
"""


@pytest.fixture
def slow(config: Callable[[str], None]) -> None:
    config(SLOW)


@pytest.fixture
def document(config: Callable[[str], None]) -> None:
    rows = "\\n".join(f"- item {number}" for number in range(1, 41))
    answer = f"# Title\\n\\nSome **bold** words.\\n\\n{rows}\\n\\nThe end."
    config(f'[providers.m]\nuse = "mock"\nchunk_delay = 0.005\nanswer = "{answer}"\n')


@pytest.mark.usefixtures("document")
def test_answer_longer_than_the_screen_is_drawn_once_and_whole() -> None:
    with Screen("ask", "x", height=12) as screen:
        assert screen.end() == 0
        lines = [line.strip() for line in screen.lines()]
    assert lines[:4] == ["Title", "", "Some bold words.", ""]
    assert lines[4:44] == [f"• item {number}" for number in range(1, 41)]
    assert lines[44:] == ["", "The end."]


@pytest.mark.usefixtures("slow")
def test_answer_grows_while_it_comes_in() -> None:
    with Screen("ask", "x") as screen:
        screen.wait_for("waiting for the answer")
        screen.wait_for("one two three")
        assert "twelve" not in "\n".join(screen.lines())
        assert screen.end() == 0
        assert screen.lines() == ["one two three four five six seven eight nine ten eleven twelve"]


@pytest.mark.usefixtures("slow")
def test_interrupted_question_keeps_its_text_and_the_cursor() -> None:
    with Screen("ask", "x") as screen:
        screen.wait_for("two three")
        screen.press("c")
        assert screen.end() == 130
        assert screen.lines()[0].startswith("one two three")
        assert not screen.cursor_hidden
        assert "Traceback" not in "\n".join(screen.lines())


@pytest.mark.usefixtures("slow")
def test_plain_answer_is_not_drawn() -> None:
    with Screen("ask", "--plain", "-t", "fast", "**Hi**") as screen:
        assert screen.end() == 0
        assert screen.lines() == ["Echo: **Hi**"]


@pytest.mark.usefixtures("slow")
def test_usage_stands_below_the_answer() -> None:
    with Screen("ask", "--usage", "-r", "quick", "Hi there") as screen:
        assert screen.end() == 0
        assert screen.lines()[0] == "Echo: Hi there"
        assert screen.lines()[1].startswith("fast · mock · ")
        assert screen.lines()[1].endswith("2 + 3 tokens")


@pytest.mark.usefixtures("slow")
def test_structured_answer_is_indented(home: Path) -> None:
    (home / "s.json").write_text('{"type": "object", "properties": {"n": {"const": 7}}, "required": ["n"]}')
    with Screen("ask", "-t", "fast", "--schema", "s.json", "x") as screen:
        assert screen.end() == 0
        assert screen.lines() == ["{", '  "n": 7', "}"]


@pytest.mark.usefixtures("slow")
def test_answer_cannot_play_with_the_terminal(config: Callable[[str], None]) -> None:
    config('[providers.m]\nuse = "mock"\nanswer = "a\\u001b[2Jb\\u001b]0;title\\u0007"\n')
    for arguments in (["ask", "x"], ["ask", "--plain", "x"]):
        with Screen(*arguments) as screen:
            assert screen.end() == 0
            assert screen.lines() == ["a�[2Jb�]0;title�"]


@pytest.mark.usefixtures("slow")
def test_tables_are_drawn() -> None:
    with Screen("health") as screen:
        assert screen.end() == 0
        assert screen.lines()[0].split() == ["PROVIDER", "STATE", "LATENCY", "DETAIL"]
        assert {line.split()[0] for line in screen.lines()[1:]} == {"slow", "fast", "broken"}


@pytest.mark.usefixtures("slow")
def test_vectors_are_abridged_for_people() -> None:
    with Screen("embed", "-t", "fast", "x") as screen:
        assert screen.end() == 0
        assert screen.lines()[0].endswith("… (64)")


class TestChat:
    """The conversation, key by key."""

    pytestmark = pytest.mark.usefixtures("slow")

    def test_conversation_goes_on_after_an_interrupted_answer(self, home: Path) -> None:
        with Screen("chat") as screen:
            screen.wait_for_prompt()
            screen.type("count")
            screen.wait_for("two three")
            screen.press("c")
            screen.wait_for("[interrupted]")
            screen.type("/target fast")
            screen.wait_for("target: fast")
            screen.type("and now?")
            screen.wait_for("Echo: and now?")
            screen.type("/save talk.md")
            screen.wait_for("saved to talk.md")
            screen.wait_for_prompt()
            screen.press("d")
            assert screen.end() == 0
        saved = (home / "talk.md").read_text()
        assert "one two three" in saved
        assert "*interrupted*" in saved
        assert "Echo: and now?" in saved

    def test_welcome_says_who_answers(self) -> None:
        for arguments, who in ((["-r", "quick"], "quick → fast. "), (["-t", "fast:big"], "fast:big. ")):
            with Screen("chat", *arguments) as screen:
                screen.wait_for_prompt()
                assert screen.lines()[0].startswith(who)

    def test_second_interrupt_leaves(self) -> None:
        with Screen("chat") as screen:
            screen.wait_for_prompt()
            screen.type("count")
            screen.wait_for("two three")
            screen.press("c")
            screen.wait_for("[interrupted]")
            screen.press("c")
            assert screen.end() == 130

    def test_interrupt_while_waiting_for_the_first_word(self, config: Callable[[str], None]) -> None:
        config('[providers.m]\nuse = "mock"\nmode = "hang"\n')
        with Screen("chat") as screen:
            screen.wait_for_prompt()
            screen.type("anybody?")
            screen.wait_for("waiting for the answer")
            screen.press("c")
            screen.wait_for("[interrupted]")
            screen.type("/exit")
            assert screen.end() == 0

    def test_interrupt_at_the_prompt_drops_the_line_and_the_second_leaves(self) -> None:
        with Screen("chat") as screen:
            screen.wait_for_prompt()
            screen.press("c")
            screen.wait_for("Ctrl-C again")
            screen.type("/model m2")
            screen.wait_for("model: m2")
            screen.press("c")
            screen.wait_for("Ctrl-C again", times=2)
            screen.press("c")
            assert screen.end() == 130

    def test_model_and_route_are_shown_and_chosen(self) -> None:
        with Screen("chat") as screen:
            screen.wait_for_prompt()
            screen.type("/model")
            screen.wait_for("model: not set")
            screen.type("/route quick")
            screen.wait_for("route: quick")
            screen.type("Hi")
            screen.wait_for("Echo: Hi")
            screen.wait_for_prompt()
            screen.press("d")
            assert screen.end() == 0

    def test_message_of_several_lines(self) -> None:
        with Screen("chat", "-r", "quick", "--plain") as screen:
            screen.wait_for_prompt()
            screen.type("first\\")
            screen.wait_for("…")
            screen.type("second")
            screen.wait_for("Echo: first\nsecond")
            screen.wait_for_prompt()
            screen.press("d")
            assert screen.end() == 0

    def test_tab_completes_commands_and_names(self) -> None:
        with Screen("chat") as screen:
            screen.wait_for_prompt()
            screen.press("/rou\t")
            screen.wait_for("> /route")
            screen.press("qui\t")
            screen.wait_for("> /route quick")
            screen.type("")
            screen.wait_for("route: quick")
            screen.wait_for_prompt()
            screen.press("d")
            assert screen.end() == 0

    def test_broken_stream_leaves_the_partial_answer_in_the_conversation(self, home: Path) -> None:
        with Screen("chat", "-t", "broken") as screen:
            screen.wait_for_prompt()
            screen.type("x")
            screen.wait_for("error: broken: the stream broke")
            screen.type("/save x.json")
            screen.wait_for("saved")
            screen.wait_for_prompt()
            screen.press("d")
            assert screen.end() == 0
        assert '"answer": "half of"' in (home / "x.json").read_text()

    def test_history_is_kept_for_the_next_session(self, home: Path) -> None:
        for number in (1, 2):
            with Screen("chat", "-r", "quick") as screen:
                screen.wait_for_prompt()
                if number == 1:
                    screen.type("remember me")
                    screen.wait_for("Echo: remember me")
                else:
                    screen.press("\x1b[A")
                    screen.wait_for("> remember me")
                    screen.press("u")
                screen.wait_for_prompt()
                screen.press("d")
                assert screen.end() == 0
        kept = home / ".local" / "state" / "mlo" / "chat_history"
        assert kept.read_text() == "remember me\n"
        assert kept.stat().st_mode & 0o777 == 0o600

    def test_no_history_leaves_no_trace(self, home: Path) -> None:
        with Screen("chat", "-r", "quick", "--no-history") as screen:
            screen.wait_for_prompt()
            screen.type("forget me")
            screen.wait_for("Echo: forget me")
            screen.wait_for_prompt()
            screen.press("d")
            assert screen.end() == 0
        assert not (home / ".local").exists()
