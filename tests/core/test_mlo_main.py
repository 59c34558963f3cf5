from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlo._cli.main import main
from mlo._cli.texts import language, text
from mlo.testing import fake_dist, installed

pytestmark = pytest.mark.usefixtures("workplace")

COMMANDS = """
import os, sys
from mlo.errors import ConfigError, NoTarget

def echo(argv):
    print(*argv, os.environ.get("MLO_CONFIG"), os.environ.get("MLO_PROFILE"), os.environ.get("MLO_DEBUG"))
    return 7

def config_error(argv):
    raise ConfigError("a.b", "is wrong")

def call_error(argv):
    raise NoTarget("nobody there", reasons={})

def bug(argv):
    raise KeyError("oops")

def interrupted(argv):
    raise KeyboardInterrupt

def leaves(argv):
    sys.exit(argv[0] if argv else None)

def number(argv):
    sys.exit(9)

def chatty(argv):
    for _ in range(100_000):
        print("line")
    return 0

not_callable = 5
"""
NAMES = ("echo", "config_error", "call_error", "bug", "interrupted", "leaves", "number", "chatty", "not_callable")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A distribution with well- and ill-behaved commands."""
    return fake_dist(
        tmp_path / "dist",
        "mlo-commands",
        entry_points={
            "commands": {**{name: f"mlo_commands:{name}" for name in NAMES}, "torn": "mlo_torn:run", "plugins": "x"}
        },
        modules={"mlo_commands": COMMANDS, "mlo_torn": "import mlo_no_such_thing"},
    )


def run(commands: Path, *argv: str) -> int:
    with installed(commands):
        return main(argv)


def test_help_lists_own_commands_and_those_of_plugins(commands: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(commands, "--help") == 0
    printed = capsys.readouterr().out
    assert "  config " in printed
    assert "  torn " in printed
    assert "mlo-commands 1.0" in printed
    assert printed.count("  plugins ") == 1
    assert "mlo_commands" not in sys.modules


def test_without_a_command_there_is_help_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: mlo [OPTIONS] COMMAND …")


def test_help_speaks_russian(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MLO_LANG", "ru")
    assert main(["-h"]) == 0
    assert "профиль конфигурации" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ru_RU.UTF-8"}, "ru"),
        ({"LANG": "ru_RU.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "C", "LC_MESSAGES": "ru_RU"}, "ru"),
        ({"LANG": "ru_RU", "MLO_LANG": "en"}, "en"),
        ({"LC_ALL": "", "LANG": "ru"}, "ru"),
    ],
)
def test_language_follows_the_locale(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected


def test_texts_take_values() -> None:
    assert text("in profile", name="p") == ", profile p"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "mlo 0.1.0\n"


def test_a_command_gets_its_arguments_and_gives_the_exit_code(
    commands: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(commands, "echo", "a", "--help", "-x") == 7
    assert capsys.readouterr().out == "a --help -x None None None\n"


def test_options_in_front_reach_the_command_by_the_environment(
    commands: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "x.toml").write_text("[profiles.p]\n")
    assert run(commands, "--config=x.toml", "--profile", "p", "--debug", "echo") == 7
    assert capsys.readouterr().out == "x.toml p 1\n"
    assert {"MLO_CONFIG", "MLO_PROFILE", "MLO_DEBUG"}.isdisjoint(os.environ)


def test_the_environment_is_put_back(commands: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workplace / "x.toml").write_text("")
    monkeypatch.setenv("MLO_CONFIG", "other.toml")
    run(commands, "--config", "x.toml", "echo")
    assert os.environ["MLO_CONFIG"] == "other.toml"


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("config_error", 2, "error: a.b: is wrong\n"),
        ("call_error", 1, "error: nobody there\n"),
        ("bug", 1, "error: unexpected KeyError: 'oops' (MLO_DEBUG=1 shows where)\n"),
        ("interrupted", 130, "\n"),
        ("leaves", 0, ""),
        ("number", 9, ""),
        (
            "torn",
            1,
            "error: command 'torn' of mlo-commands 1.0 (mlo_torn:run) could not be loaded: ModuleNotFoundError",
        ),
        ("not_callable", 1, "error: command 'not_callable' of mlo-commands 1.0"),
        ("ehco", 2, "error: no installed distribution offers the command 'ehco' (did you mean 'echo'?)"),
        ("plugin", 2, "error: no installed distribution offers the command 'plugin' (did you mean 'plugins'?)"),
    ],
)
def test_ends_of_a_command(
    commands: Path, name: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(commands, name) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(message)
    assert "Traceback" not in printed.err


def test_an_exit_with_a_text_is_a_failure(commands: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(commands, "leaves", "sorry") == 1
    assert capsys.readouterr().err == "sorry\n"


def test_debug_shows_the_traceback(commands: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(commands, "--debug", "bug") == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--confg", "x"], ["--config"], ["-z"]])
def test_unknown_options_are_usage_errors(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith("usage: mlo")


def test_the_policy_binds_commands(
    commands: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLO_PLUGINS_DENY", "commands:echo")
    assert run(commands, "echo") == 1
    assert "denied by 'commands:echo' in MLO_PLUGINS_DENY" in capsys.readouterr().err
    assert "mlo_commands" not in sys.modules


def test_a_broken_configuration_stops_plugin_commands(
    commands: Path, workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace / "mlo.toml").write_text("[plugins\n")
    assert run(commands, "echo") == 2
    assert capsys.readouterr().err.startswith("error: mlo.toml:1:9: not valid TOML")
    assert run(commands, "--help") == 0


def test_two_offers_of_a_command_are_a_conflict(
    commands: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rival = fake_dist(tmp_path / "rival", "mlo-rival", entry_points={"commands": {"echo": "mlo_rival:run"}})
    with installed(commands, rival):
        assert main(["echo"]) == 1
    assert "offered more than once" in capsys.readouterr().err


# as a process of its own


def process(commands: Path, script: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(commands), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=False)


def test_the_executable_is_installed(commands: Path) -> None:
    done = process(commands, "mlo echo x; echo $?")
    assert done.stdout == "x None None None\n7\n"


def test_a_closed_pipe_is_no_error(commands: Path) -> None:
    done = process(commands, "{ mlo chatty; echo $? >&2; } | head -n 1")
    assert (done.stdout, done.stderr) == ("line\n", "141\n")


def test_help_loads_neither_attrs_nor_pluggy(commands: Path) -> None:
    program = (
        "import sys; from mlo._cli.main import main; main(['--help']);"
        "sys.exit(' '.join({'attr', 'pluggy', 'cattrs', 'anyio', 'asyncio'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
