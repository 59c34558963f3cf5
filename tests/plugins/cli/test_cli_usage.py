from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mlo_cli import commands

Entry = Callable[[Sequence[str]], int]
COMMANDS = {name: getattr(commands, name) for name in commands.__all__}


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.parametrize(("language", "heading"), [("en", "Usage: mlo"), ("ru", "Использование: mlo")])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_in_the_readers_language(
    name: str,
    language: str,
    heading: str,
    option: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLO_LANG", language)
    assert COMMANDS[name]([option]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith(f"{heading} {name} ")
    assert printed.err == ""


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_russian_help_has_no_english_framework_words(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLO_LANG", "ru")
    COMMANDS[name](["--help"])
    printed = capsys.readouterr().out
    assert not [
        word for word in ("Usage", "Options", "OPTIONS", "Show this", "TEXT", "default:") if f"{word} " in printed
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("ask", ["--modle", "x"], "there is no option --modle; did you mean --model?"),
        ("ask", ["--zzz"], "there is no option --zzz"),
        ("ask", ["x", "--route"], "option --route needs a value"),
        ("ask", ["--deadline", "soon", "x"], "--deadline: 'soon' is not a number"),
        ("ask", ["--deadline", "0", "x"], "--deadline: 0 is out of range, it must be > 0"),
        ("ask", ["--deadline", "nan", "x"], "--deadline: nan is out of range"),
        ("ask", ["--temperature", "-1", "x"], "--temperature: -1 is out of range, it must be >= 0"),
        ("ask", ["--max-tokens", "1.5", "x"], "--max-tokens: '1.5' is not a whole number"),
        ("ask", ["--schema", "no.json", "x"], "--schema: no.json is not a readable file"),
        ("ask", ["--config", "no.toml", "x"], "--config: no.toml is not a readable file"),
        ("ask", ["--image", "notes.txt", "x"], "notes.txt is not a picture"),
        ("ask", ["-r", "a", "-t", "b", "x"], "--route and --target exclude each other"),
        ("chat", ["-r", "nowhere"], "there is no route nowhere; there are: default"),
        ("chat", ["-t", "nobody:x"], "there is no provider nobody:x; there are: mock"),
        ("chat", ["extra"], "unexpected argument: extra"),
        ("health", ["a", "b"], "unexpected argument: a b"),
        ("completion", ["tcsh"], "which shell? One of bash, zsh, fish"),
        ("completion", [], "which shell?"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(
    name: str, arguments: list[str], said: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "notes.txt").write_text("text")
    (home / "mlo.toml").write_text('[providers.mock]\nuse = "mock"\n')
    assert COMMANDS[name](arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {said}")
    assert printed.err.endswith(f"(see mlo {name} --help)\n")
    assert printed.err.count("\n") == 1


def test_wrong_usage_speaks_russian(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MLO_LANG", "ru")
    assert commands.ask(["--modle", "x"]) == 2
    assert capsys.readouterr().err == "ошибка: нет параметра --modle; возможно, --model? (см. mlo ask --help)\n"


def test_nothing_to_ask_is_wrong_usage(stdin: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    stdin("")
    assert commands.ask([]) == 2
    assert "nothing to ask" in capsys.readouterr().err
