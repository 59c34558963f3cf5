"""The executable as other programs meet it: exit codes, pipes, signals, start-up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.plugins.cli.screen import MLO

HEAVY = ("rich", "httpx", "anyio", "attrs", "cattrs", "asyncio", "importlib_metadata", "pluggy", "mlo.router")


def mlo(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([MLO, *arguments], capture_output=True, text=True, check=False, timeout=15, input=given)


def test_answer_goes_out_and_remarks_stay_apart() -> None:
    done = mlo("ask", "Привет")
    assert (done.returncode, done.stdout) == (0, "Эхо: Привет\n")
    assert done.stderr.startswith("demo: ")


def test_pipe_goes_in() -> None:
    done = mlo("ask", "Summarise:", given="text\n")
    assert done.stdout == "Echo: Summarise:\n\ntext\n"


def test_json_can_be_piped_on() -> None:
    assert json.loads(mlo("ask", "--json", "Hi").stdout)["text"] == "Echo: Hi"


@pytest.mark.parametrize(
    ("mode", "arguments", "code"),
    [
        ("normal", ["x"], 0),
        ("auth-error", ["x"], 1),
        ("normal", ["--no-such-option"], 2),
        ("content-blocked", ["x"], 3),
        ("hang", ["--deadline", "0.05", "x"], 4),
    ],
)
def test_exit_codes(mode: str, arguments: list[str], code: int, config: Callable[[str], None]) -> None:
    config(f'[providers.m]\nuse = "mock"\nmode = "{mode}"\n')
    done = mlo("ask", *arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_interrupt_is_130_without_a_word(config: Callable[[str], None]) -> None:
    config(
        '[providers.m]\nuse = "mock"\nanswer = "one two three"\nchunk_delay = 0.2\n[routes.default]\ntargets = ["m"]\n'
    )
    process = subprocess.Popen(
        [MLO, "ask", "x"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert os.read(process.stdout.fileno(), 3) == b"one"
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=15)
    assert process.returncode == 130
    assert said == b""
    assert rest.endswith(b"\n")


def test_reader_that_leaves_early_is_no_error(config: Callable[[str], None]) -> None:
    config(f'[providers.m]\nuse = "mock"\nanswer = "{"word " * 50_000}"\n')
    command = f"{MLO} ask x | head -c 4; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=15
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"word", b"")


def test_narrow_encoding_does_not_break_the_answer() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "latin-1", "MLO_LANG": "en"}
    done = subprocess.run(
        [MLO, "ask", "Привет"], capture_output=True, stdin=subprocess.DEVNULL, check=False, env=environ
    )
    assert (done.returncode, done.stdout) == (0, b"???: ??????\n")


@pytest.mark.parametrize("command", ["ask", "chat", "models", "health", "embed", "completion"])
def test_help_loads_nothing_heavy(command: str) -> None:
    program = f"""
import sys
from mlo_cli.commands import {command}
{command}(["--help"])
print("loaded:", *[name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_piped_answer_does_not_load_rich_or_an_http_client() -> None:
    program = """
import sys
from mlo_cli.commands import ask
ask(["Hi"])
print("loaded:", *[name for name in ("rich", "httpx") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert done.stdout.splitlines()[-1] == "loaded:"
