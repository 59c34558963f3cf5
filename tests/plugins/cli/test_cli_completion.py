from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlo_cli.candidates import _CORE, candidates
from mlo_cli.commands import completion
from tests.plugins.cli.screen import MLO

CONFIG = """
[providers.giga-main]
use = "mock"
[providers.local]
use = "mock"
[routes.private]
targets = ["local"]
"""
SHELLS = [shell for shell in ("bash", "zsh", "fish") if shutil.which(shell)]


@pytest.fixture(autouse=True)
def _configured(config: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    config(CONFIG)
    monkeypatch.setenv("PATH", str(MLO.parent), prepend=":")


def values(*words: str) -> list[str]:
    line = ["mlo", *words]
    return [str(item.value) for item in candidates(line, len(line) - 1)]


def test_first_word_is_any_command() -> None:
    assert {"ask", "chat", "completion", "config", "embed", "health", "models", "plugins"} <= set(values(""))
    assert values("he") == ["health"]


def test_first_word_may_be_a_global_option() -> None:
    assert values("--pro") == ["--profile"]


def test_global_options_are_passed_over() -> None:
    assert values("--profile", "x", "mod") == ["models"]
    assert candidates(["mlo", "--config", ""], 2)[0].type == "file"


def test_options_of_a_command() -> None:
    assert values("ask", "--ro") == ["--route"]
    assert {"--json", "--schema", "--no-stream"} <= set(values("ask", "--"))


def test_hidden_options_stay_hidden() -> None:
    assert "--at" not in values("completion", "--")


def test_names_come_from_the_configuration() -> None:
    assert values("ask", "--route", "") == ["default", "private"]
    assert values("chat", "-t", "g") == ["giga-main"]
    assert values("models", "--provider", "") == ["giga-main", "local"]


def test_equals_sign_taken_apart_by_bash_is_understood() -> None:
    assert values("ask", "--route", "=", "pri") == ["private"]
    assert values("ask", "--route", "=") == ["default", "private"]


def test_names_come_from_the_configuration_that_is_named(home: Path) -> None:
    (home / "other.toml").write_text('[providers.else]\nuse = "mock"\n')
    assert values("ask", "--config", "other.toml", "--target", "") == ["else"]


def test_global_configuration_counts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "other.toml").write_text('[providers.else]\nuse = "mock"\n')
    monkeypatch.setenv("MLO_CONFIG", "")  # so that it is put back
    assert values("--config", "other.toml", "ask", "--target", "") == ["else"]


def test_broken_configuration_completes_nothing(config: Callable[[str], None]) -> None:
    config("[providers\n")
    assert values("ask", "--route", "") == []


def test_subcommands_of_the_executable() -> None:
    assert values("plugins", "d") == ["doctor"]


@pytest.mark.parametrize("name", sorted(_CORE))
def test_subcommands_are_those_that_the_executable_has(name: str) -> None:
    shown = subprocess.run([MLO, name, "--help"], capture_output=True, text=True, check=True).stdout
    assert sorted(re.findall(r"^    ([a-z]+)\b", shown, re.MULTILINE)) == [*_CORE[name]]


def test_commands_of_other_distributions_take_files() -> None:
    assert candidates(["mlo", "unknown", ""], 2)[0].type == "file"


def test_lines_for_the_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert completion(["--at", "2", "--", "mlo", "ask", "--plai"]) == 0
    assert capsys.readouterr().out == "plain\t--plain\tText as it is, no Markdown.\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert completion([shell]) == 0
    assert "mlo completion --at" in capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_shell_accepts_its_script(shell: str) -> None:
    script = subprocess.run([MLO, "completion", shell], capture_output=True, check=True).stdout
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_bash_completes() -> None:
    program = """
        eval "$(mlo completion bash)"
        COMP_WORDS=(mlo ask --route ''); COMP_CWORD=3; _mlo; echo "${COMPREPLY[*]}"
        COMP_WORDS=(mlo cha); COMP_CWORD=1; _mlo; echo "${COMPREPLY[*]}"
    """
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "default private\nchat\n"
