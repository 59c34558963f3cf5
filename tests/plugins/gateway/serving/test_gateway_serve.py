"""`mlo serve` from its first start to its end."""

from __future__ import annotations

import os
import select
import signal
import socket
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from mlo.errors import ConfigError
from mlo_gateway.commands.serve import main
from mlo_gateway.serving.config import ServeConfig
from mlo_gateway.serving.plan import Overrides
from mlo_gateway.serving.running import Hooks, serve_here
from tests.plugins.gateway.serving.processes import GatewayProcess, gateway

_IDLE = int(os.environ.get("MLO_IDLE_CONNECTIONS", "300"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with gateway(tmp_path_factory.mktemp("demo")) as running:
        yield running


def test_a_fresh_folder_is_enough(demo: GatewayProcess) -> None:
    answer = demo.ask()
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Echo: Hi"
    text = demo.out.read_text()
    assert "demonstration" in text
    assert text.count(demo.key) == 2  # once to keep, once in the line to try


def test_the_line_to_try_works(demo: GatewayProcess) -> None:
    line = next(line for line in demo.out.read_text().splitlines() if line.startswith("curl "))
    done = subprocess.run(f"{line} -s", shell=True, check=False, capture_output=True, text=True, timeout=10)
    assert '"Echo: Hello"' in done.stdout


def test_only_the_owner_can_read_what_it_keeps(demo: GatewayProcess) -> None:
    folder = demo.folder / "mlo-data"
    assert folder.stat().st_mode & 0o077 == 0
    with sqlite3.connect(folder / "mlo.db") as database:
        assert demo.key not in "\n".join(database.iterdump())


def test_without_a_key_nobody_gets_in(demo: GatewayProcess) -> None:
    assert demo.ask(key="mlo-nonsense").status_code == 401


def test_health_readiness_and_metrics(demo: GatewayProcess) -> None:
    assert demo.get("/healthz").json() == {"status": "alive"}
    ready = demo.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["checks"]["limits"] == "in process"
    demo.ask()
    metrics = demo.get("/metrics")
    assert metrics.status_code == 200
    assert "mlo_" in metrics.text
    assert demo.key not in metrics.text
    assert httpx.head(demo.url + "/healthz").content == b""


def test_idle_connections_leave_it_serving(demo: GatewayProcess) -> None:
    resident = _resident(demo)
    clients = []
    try:
        for _ in range(_IDLE):
            client = socket.create_connection(("127.0.0.1", demo.port), 10)
            clients.append(client)
            client.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert all(client.recv(1000).startswith(b"HTTP/1.1 200 ") for client in clients)
        assert demo.ask().status_code == 200
        each = (_resident(demo) - resident) / _IDLE
        print(f"{each:.0f} bytes for each of {_IDLE} idle connections")
        assert each < 30_000
    finally:
        for client in clients:
            client.close()


def _resident(running: GatewayProcess) -> int:
    pages = int(Path(f"/proc/{running.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


_OVERLOADED = """
[providers.slow]
use = "mock"
delay = 1.0

[providers.quick]
use = "mock"

[gateway.admission]
in_flight = 1
queue = 0
"""


def test_from_start_to_start(tmp_path: Path) -> None:
    """A first start shows the key and serves TLS on a socket that it was given; a second one knows the key."""
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    table = '[gateway.serve]\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n'
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        with gateway(tmp_path, table, "--fd", str(listener.fileno())) as first:
            assert first.port == listener.getsockname()[1]
            context = ssl.create_default_context()
            authority.configure_trust(context)
            assert httpx.get(f"{first.url}/readyz", verify=context).status_code == 200
            key = first.key
            assert key
            first.tell(signal.SIGINT)
            assert first.process.wait(10) == 0
            assert "Traceback" not in first.log()
    with gateway(tmp_path, _OVERLOADED, key=key) as second:
        assert key not in second.out.read_text()
        assert second.ask("quick").status_code == 200
        _overload(second)


def _overload(running: GatewayProcess) -> None:
    """Of two requests at once, where one has a place, the other is sent away before the first is done."""
    body = b'{"model":"slow","messages":[{"role":"user","content":"x"}]}'
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    head += b"authorization: Bearer %s\r\n" % running.key.encode()
    request = head + b"content-length: %d\r\n\r\n" % len(body) + body
    with socket.create_connection(("127.0.0.1", running.port)) as one:
        with socket.create_connection(("127.0.0.1", running.port)) as other:
            one.sendall(request)
            other.sendall(request)
            (quick, *_), _, _ = select.select([one, other], [], [], 10)
            refused = quick.recv(4096)
            served = (one if quick is other else other).recv(4096)
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1\r\n" in refused
    assert served.startswith(b"HTTP/1.1 200 ")


def _refused(folder: Path, patch: pytest.MonkeyPatch, configuration: str = "", **overrides: Any) -> ConfigError:
    (folder / "mlo.toml").write_text(configuration)
    patch.chdir(folder)
    with pytest.raises(ConfigError) as refused:
        serve_here(Overrides(**overrides))
    return refused.value


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "127.0.0.1.example", "localhost.example", "::1:2"])
def test_without_keys_only_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    assert _refused(tmp_path, monkeypatch, auth="off", host=host).path == "gateway.auth"


def test_an_inherited_socket_says_itself_who_can_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket unit that listens everywhere, beside a configuration that says nothing of it."""
    monkeypatch.chdir(tmp_path)
    everywhere = socket.create_server(("0.0.0.0", 0))
    with pytest.raises(ConfigError) as refused:
        serve_here(Overrides(auth="off"), Hooks(listener=everywhere.detach()))
    assert refused.value.path == "gateway.auth"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "::1", "localhost"])
def test_what_is_this_machine(host: str) -> None:
    assert ServeConfig(host=host).is_local


def test_a_taken_port_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = _refused(tmp_path, monkeypatch, port=port)
    assert refused.path == "gateway.serve.port"
    assert f"127.0.0.1:{port}" in refused.reason


def test_a_host_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _refused(tmp_path, monkeypatch, host="no such host").path == "gateway.serve.host"


def test_a_wrong_configuration_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = _refused(tmp_path, monkeypatch, '[gateway.serve]\nprot = 1\n[gateway.limits]\nburst = "x"\n')
    assert {problem.path for problem in refused.problems} == {"gateway.serve.prot", "gateway.limits.burst"}


def test_tls_needs_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "tls_key" in _refused(tmp_path, monkeypatch, '[gateway.serve]\ntls_cert = "cert.pem"\n').reason


def test_tls_files_that_are_not_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = '[gateway.serve]\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n'
    assert _refused(tmp_path, monkeypatch, table, port=0).path == "gateway.serve.tls_cert"


def test_a_descriptor_that_is_no_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "file").open("wb") as file, pytest.raises(ConfigError, match="is no socket"):
        serve_here(Overrides(), Hooks(listener=file.fileno()))


@pytest.mark.parametrize(("language", "word"), [("en", "listen"), ("ru", "порт")])
def test_help_in_both_languages(
    language: str, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLO_LANG", language)
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    shown = capsys.readouterr().out
    assert left.value.code == 0
    assert word in shown
    assert "--worker " not in shown
