"""Where things are kept, what readiness depends on, and what systemd is told."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mlo.settings import ComponentSettings, SectionSettings, Settings, section
from mlo_gateway.config import GatewayConfig
from mlo_gateway.serving.checking import verdict_on
from mlo_gateway.serving.notices import notify
from mlo_gateway.serving.places import data_folder, database_url
from mlo_gateway.serving.sockets import inherited
from mlo_ledger.served import served_url
from mlo_ledger.state import LedgerState


def test_the_folder_is_the_configured_one_then_systemds_then_ours(tmp_path: Path) -> None:
    settings = Settings(source=str(tmp_path / "mlo.toml"))
    assert data_folder(settings, GatewayConfig(), {}) == tmp_path / "mlo-data"
    assert data_folder(settings, GatewayConfig(), {"STATE_DIRECTORY": "/var/lib/mlo:/more"}) == Path("/var/lib/mlo")
    given = GatewayConfig(folder="kept")
    assert data_folder(settings, given, {"STATE_DIRECTORY": "/var/lib/mlo"}) == tmp_path / "kept"


def test_the_database_is_that_of_a_configured_ledger() -> None:
    options = {"url": "postgresql://u@h/d", "password": "env:SECRET"}
    settings = Settings(observers={"costs": ComponentSettings(use="ledger", options=options, path="observers.costs")})
    url = database_url(settings, GatewayConfig(), {"SECRET": "p@ss"})
    assert url.reveal() == "postgresql://u:p%40ss@h/d"
    assert "ss" not in repr(url).replace("Secret", "")


@pytest.mark.parametrize("table", [{}, {"folder": "kept"}, {"folder": "kept", "database": "postgresql://h/d"}])
def test_the_commands_of_the_ledger_look_where_the_gateway_writes(tmp_path: Path, table: dict[str, str]) -> None:
    sections = {"gateway": SectionSettings(options={**table, "auth": "off", "serve": {"port": 1}}, path="gateway")}
    settings = Settings(source=str(tmp_path / "mlo.toml"), sections=sections)
    config = section(settings, "gateway", GatewayConfig)
    assert served_url(settings, {}) == database_url(settings, config, {}).reveal()


@pytest.mark.parametrize(
    ("state", "ok"),
    [
        (LedgerState(policy="strict"), True),
        (LedgerState(policy="best-effort", database_error="gone", since=0.0, backlog=5), True),
        (LedgerState(policy="best-effort", journal_error="full", since=0.0), True),
        (LedgerState(policy="strict", database_error="gone", since=90.0), True),
        (LedgerState(policy="strict", database_error="gone", since=0.0), False),
        (LedgerState(policy="strict", journal_error="full", since=100.0), False),
    ],
)
def test_traffic_may_come_while_calls_can_be_accounted_for(state: LedgerState, ok: bool) -> None:
    assert verdict_on(state, grace=30.0, now=100.0).ok is ok


def test_systemd_is_told_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "socket"))
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_sockets_of_systemd_are_for_the_process_that_they_are_for() -> None:
    assert inherited(environ={}) is None
    assert inherited(environ={"LISTEN_PID": "1", "LISTEN_FDS": "1"}) is None
    assert inherited(environ={"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}) is None
