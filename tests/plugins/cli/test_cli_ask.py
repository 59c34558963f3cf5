from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlo_cli.commands import ask

Config = Callable[[str], None]
Stdin = Callable[[str], None]

TWO = """
[providers.first]
use = "mock"

[providers.second]
use = "mock"
answer = "second"

[routes.default]
targets = ["first"]

[routes.other]
targets = ["second"]
"""


def failing(mode: str) -> str:
    route = '[routes.default]\ntargets = ["m"]\nretry = { base = 0.01 }\n'
    return f'[providers.m]\nuse = "mock"\nmode = "{mode}"\n{route}'


def test_without_a_configuration_the_mock_answers_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(["Привет"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "Эхо: Привет\n"
    assert printed.err.startswith("demo: no provider is configured")


def test_with_a_configuration_nothing_is_said(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(TWO)
    assert ask(["Hi"]) == 0
    assert capsys.readouterr() == ("Echo: Hi\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-r", "other"], "second\n"),
        (["--target", "second"], "second\n"),
        (["--target", "second:big"], "second\n"),
        (["--no-stream"], "Echo: x\n"),
        (["--max-tokens", "1"], "Echo:\n"),
    ],
)
def test_options_reach_the_call(
    arguments: list[str], expected: str, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config(TWO)
    assert ask([*arguments, "x"]) == 0
    assert capsys.readouterr().out == expected


def test_system_and_sampling_reach_the_provider(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlo_mock.provider import MockProvider

    seen: list[Any] = []
    original = MockProvider.generate

    async def spy(self: MockProvider, request: Any, ctx: Any) -> Any:
        seen.append(request)
        return await original(self, request, ctx)

    monkeypatch.setattr(MockProvider, "generate", spy)
    assert ask(["--no-stream", "-s", "Be brief.", "--temperature", "0.5", "--max-tokens", "9", "-m", "big", "x"]) == 0
    (request,) = seen
    assert [message.text for message in request.messages] == ["Be brief.", "x"]
    assert (request.sampling.temperature, request.sampling.max_tokens, request.model) == (0.5, 9, "big")


def test_piped_text_goes_along(stdin: Stdin, capsys: pytest.CaptureFixture[str]) -> None:
    stdin("line one\nline two\n")
    assert ask(["Summarise:"]) == 0
    assert capsys.readouterr().out == "Echo: Summarise:\n\nline one\nline two\n"


def test_answer_as_json(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(TWO.replace('answer = "second"', "cached_tokens = 1"))
    assert ask(["--json", "-r", "other", "Hi"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["text"] == "Echo: Hi"
    assert answer["model"] == "mock"
    assert answer["target"] == "second"
    assert answer["route"] == "other"
    assert answer["finish_reason"] == "stop"
    assert answer["tool_calls"] == []
    assert answer["usage"]["prompt_tokens"] == 1
    assert answer["usage"]["completion_tokens"] == 2
    assert answer["usage"]["cached_tokens"] == 1
    assert answer["usage"]["cost"] is None
    assert [attempt["target"] for attempt in answer["attempts"]] == ["second"]
    assert answer["duration"] > 0


def test_events_as_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(["--json", "--stream", "Hi you"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events][:2] == ["Started", "TextDelta"]
    assert "".join(event["text"] for event in events if event["event"] == "TextDelta") == "Echo: Hi you"
    assert events[-1]["event"] == "Response"
    assert events[-1]["text"] == "Echo: Hi you"
    assert events[-2] == {"event": "Finished", "reason": "stop"}


def test_schema_shapes_the_answer(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 5}}, "required": ["age"]}
    (home / "s.json").write_text(json.dumps(schema))
    assert ask(["--schema", "s.json", "Invent"]) == 0
    assert json.loads(capsys.readouterr().out)["age"] >= 5


def test_schema_with_an_answer_that_is_not_json_fails(
    home: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config('[providers.m]\nuse = "mock"\nanswer = "Sorry, no."\n')
    (home / "s.json").write_text("{}")
    assert ask(["--schema", "s.json", "Invent"]) == 1
    assert capsys.readouterr() == ("Sorry, no.\n", "error: the answer is not JSON\n")


def test_picture_goes_along(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "cat.png").write_bytes(b"\x89PNG")
    assert ask(["--image", "cat.png", "What is it?"]) == 0
    assert "What is it?" in capsys.readouterr().out


def test_usage_names_who_failed_before(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.a]\nuse = "mock"\nmode = "overloaded"\n[providers.b]\nuse = "mock"\ncached_tokens = 1\n')
    assert ask(["--usage", "Hi"]) == 0
    footer = capsys.readouterr().err
    assert footer.startswith("b · mock · ")
    assert footer.endswith("1 + 2 tokens · 1 from cache · after a (Overloaded)\n")


def test_answer_cut_at_the_limit_is_remarked(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(["--max-tokens", "1", "x"]) == 0
    assert "was cut at the token limit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mode", "code", "said"),
    [
        ("auth-error", 1, "check the key"),
        ("rate-limit", 1, "all attempts failed: m: "),
        ("invalid-request", 1, "error: m: "),
        ("content-blocked", 3, "rephrase the prompt"),
    ],
)
@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_failures_have_one_line_and_a_code(
    mode: str, code: int, said: str, stream: str, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config(failing(mode))
    assert ask([stream, "x"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert printed.err.count("\n") == 1


def test_repeated_failures_are_counted(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config(
        '[providers.m]\nuse = "mock"\nmode = "rate-limit"\n[routes.default]\ntargets = ["m"]\nretry = { base = 0.01 }\n'
    )
    assert ask(["x"]) == 1
    assert "(×2)" in capsys.readouterr().err


def test_refused_answer_has_its_code(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nanswer = "I would rather not."\nfinish_reason = "content_filter"\n')
    assert ask(["x"]) == 3
    assert capsys.readouterr().err == "error: the content filter of the provider refused\n"


def test_running_out_of_time_has_its_code(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nmode = "hang"\n')
    assert ask(["--deadline", "0.05", "x"]) == 4
    assert "allow more with --deadline" in capsys.readouterr().err


def test_broken_stream_keeps_its_text(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nanswer = "one two three"\nbreak_after = 2\n')
    assert ask(["x"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "one two\n"
    assert "the stream broke" in printed.err


def test_failure_as_json(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nmode = "auth-error"\n')
    assert ask(["--json", "x"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "AuthFailed"
    assert error["target"] == "m"
    assert error["status"] == 401


def test_partial_answer_as_json(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nanswer = "one two three"\nbreak_after = 2\n')
    assert ask(["--json", "--stream", "x"]) == 1
    *_, last = capsys.readouterr().out.splitlines()
    assert json.loads(last)["error"]["partial"] == "one two"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[providers.m]\nuse = 'mock'\nmood = 'bad'\n", "providers.m.mood"),
        ("[providers.m]\nuse = 'nobody'\n", "nobody"),
        ("[providers\n", "mlo.toml"),
        ("[providers.m]\nuse = 'mock'\n[routes.default]\ntargets = ['n']\n", "routes.default"),
    ],
)
def test_wrong_configuration_is_exit_code_2(
    text: str, said: str, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config(text)
    assert ask(["x"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert said in printed.err
    assert "Traceback" not in printed.err


@pytest.mark.parametrize("arguments", [["--route", "nowhere"], ["--target", "nobody"], ["--profile", "none"]])
def test_unknown_names_are_exit_code_2(
    arguments: list[str], config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config(TWO)
    assert ask([*arguments, "x"]) == 2
    assert arguments[-1] in capsys.readouterr().err


def test_configuration_file_is_chosen(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "other.toml").write_text('[providers.m]\nuse = "mock"\nanswer = "other"\n')
    assert ask(["--config", "other.toml", "x"]) == 0
    assert capsys.readouterr().out == "other\n"


def test_debug_shows_the_traceback(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nmode = "auth-error"\n')
    assert ask(["--debug", "x"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_debug_after_two_dashes_is_a_word(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    config('[providers.m]\nuse = "mock"\nmode = "auth-error"\n')
    assert ask(["--", "--debug"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise KeyError("gone")

    monkeypatch.setattr("mlo.Router.from_file", broken)
    assert ask(["x"]) == 1
    assert capsys.readouterr().err == "error: unexpected KeyError: 'gone' (MLO_DEBUG=1 shows where)\n"


def test_secret_does_not_show(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("A_KEY", "made-up-secret")
    config('[providers.m]\nuse = "mock"\nmode = "auth-error"\nauth = { use = "bearer", token = "env:A_KEY" }\n')
    assert ask(["--debug", "--json", "x"]) in {1, 2}
    printed = capsys.readouterr()
    assert "made-up-secret" not in printed.out + printed.err


def test_words_that_are_not_text_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask([os.fsdecode(b"\xff")]) == 2
    assert capsys.readouterr().err == "error: arguments: not UTF-8 text (see mlo ask --help)\n"


def test_without_the_mock_there_is_no_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("mlo_cli.routers._DEMO_PACKAGE", "a_package_that_is_not_installed")
    assert ask(["x"]) == 2
    assert capsys.readouterr().err.startswith("error: providers: no provider is configured (write an instance")
