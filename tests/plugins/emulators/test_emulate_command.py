from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from mlo_emulators.commands import VENDORS, emulate, vendor

CODE = "import sys; from mlo_emulators.commands import emulate; sys.exit(emulate(sys.argv[1:]))"


@contextmanager
def started(*arguments: str) -> Iterator[list[str]]:
    """`mlo emulate` in a process of its own; gives the lines that it prints, and stops it as Ctrl-C does."""
    with subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip()]
        while len(lines) < 4 + 2 * arguments.count("--tls") + 4 * arguments.count("--client-cert"):
            lines.append(process.stdout.readline().rstrip())
        try:
            yield lines
        finally:
            process.send_signal(signal.SIGINT)
            rest = process.stdout.read()
    assert process.returncode == 0, rest
    assert not rest


def place(lines: list[str]) -> str:
    found = re.search(r"https?://127\.0\.0\.1:\d+", lines[0])
    assert found is not None, lines
    return found[0]


def test_it_serves_until_interrupted() -> None:
    with started("gigachat", "--fault", "host=legacy", "--fault", "access-token=t") as lines:
        answer = httpx.get(f"{place(lines)}/v1/models", headers={"Authorization": "Bearer t"})
    assert "GigaChat-Plus" in answer.text
    assert any(line.startswith("auth_url") for line in lines)


def test_it_makes_certificates_and_demands_one() -> None:
    with started("gigachat", "--client-cert", "--fault", "require-token=no") as lines:
        files = dict(re.findall(r"(CA file|client cert|client key)\s+(\S+)", "\n".join(lines)))
        context = ssl.create_default_context(cafile=files["CA file"])
        context.load_cert_chain(files["client cert"], files["client key"])
        assert httpx.get(f"{place(lines)}/v1/models", verify=context).status_code == 200


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_every_vendor_lists_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert emulate([name, "--list"]) == 0
    options = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert len(options) > 5
    assert all("default: " in line for line in options)


@pytest.mark.parametrize("name", sorted(VENDORS))
def test_every_vendor_makes_an_app(name: str) -> None:
    module = vendor(name)
    assert module.create_app(module.Options()).state.journal.counts == {}


def test_a_wrong_fault_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert emulate(["gigachat", "--fault", "tricle=1"]) == 2
    assert "did you mean trickle" in capsys.readouterr().err


def test_a_taken_port_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert emulate(["gigachat", "--port", str(taken.getsockname()[1])]) == 1
    assert "cannot serve on 127.0.0.1:" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["unknown"]])
def test_an_unknown_vendor_is_wrong_usage(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        emulate(argv)
    assert caught.value.code == 2
    assert "usage: mlo emulate" in capsys.readouterr().err
