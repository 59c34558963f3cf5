"""The conversation where nobody sits at the keyboard: lines come in through a pipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlo_cli.commands import chat
from mlo_cli.terminal import _completer, history_file, keyboard, message

Config = Callable[[str], None]
Stdin = Callable[[str], None]


def test_each_line_is_a_turn(stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    stdin("one\ntwo\\\nthree\n\n")
    assert chat([]) == 0
    printed = capsys.readouterr()
    assert printed.out == "Echo: one\nEcho: two\nthree\n"
    assert "/help" not in printed.err


def test_slash_commands_work(stdin: Stdin, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stdin("/system Be brief.\none\n/retry\n//etc\n/save talk.md\n/exit\nnever asked\n")
    assert chat(["--no-stream"]) == 0
    assert capsys.readouterr().out == "Echo: one\nEcho: one\nEcho: /etc\n"
    assert (home / "talk.md").read_text().count("## Question") == 2


def test_first_failure_is_the_exit_code(config: Config, stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nfail_first = 1\nfail_with = "content-blocked"\n')
    stdin("one\ntwo\n")
    assert chat([]) == 3
    printed = capsys.readouterr()
    assert printed.out == "Echo: two\n"
    assert "error: m: " in printed.err


def test_failed_question_is_asked_again(config: Config, stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nfail_first = 1\nfail_with = "auth-error"\n')
    stdin("one\n/retry\n")
    assert chat([]) == 1
    assert capsys.readouterr().out == "Echo: one\n"


def test_refused_answer_is_the_exit_code(config: Config, stdin: Stdin) -> None:
    config('[providers.m]\nuse = "mock"\nfinish_reason = "content_filter"\n')
    stdin("one\n")
    assert chat([]) == 3


def test_debug_shows_tracebacks(config: Config, stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nmode = "auth-error"\n')
    stdin("one\n")
    assert chat(["--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_line_that_is_not_text_is_refused_and_the_conversation_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "lines").write_bytes(b"caf\xe9\nnext\n")
    with (home / "lines").open(encoding="utf-8", errors="surrogateescape") as lines:
        monkeypatch.setattr("sys.stdin", lines)
        assert chat([]) == 2
    printed = capsys.readouterr()
    assert printed.out == "Echo: next\n"
    assert "standard input: not UTF-8 text" in printed.err


def test_usage_is_told_after_each_answer(stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    stdin("one\n")
    assert chat(["--usage"]) == 0
    assert "1 + 2 tokens" in capsys.readouterr().err


def test_wrong_configuration_is_exit_code_2(config: Config, stdin: Stdin) -> None:
    config("[providers\n")
    stdin("one\n")
    assert chat([]) == 2


def test_backslash_continues_a_message() -> None:
    lines = iter(["one\\", "two\\", " three "])
    prompts: list[str] = []

    def read(prompt: str) -> str:
        prompts.append(prompt)
        return next(lines)

    assert message(read, ">", "…") == "one\ntwo\n three"
    assert prompts == [">", "…", "…"]


def test_history_file_follows_xdg(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert history_file() == home / ".local" / "state" / "mlo" / "chat_history"
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert history_file() == Path("/state/mlo/chat_history")


def test_completer_counts_through_what_fits() -> None:
    complete = _completer(lambda _line: ["/model ", "/route ", "/retry "], lambda: "/r")
    assert [complete("/r", number) for number in range(3)] == ["/route ", "/retry ", None]


def test_history_that_cannot_be_kept_does_not_matter(home: Path) -> None:
    (home / "file").write_text("")
    with keyboard(home / "file" / "below" / "history", lambda _line: []) as read:
        assert callable(read)
