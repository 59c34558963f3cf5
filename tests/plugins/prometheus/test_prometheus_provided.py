"""How `./dev test` comes by a Prometheus server, with a Debian made of two shell scripts."""

from __future__ import annotations

from pathlib import Path

import check
import pytest

APT = '#!/bin/sh\necho "$@" >> "$CALLS"\n[ "$3" != prometheus ] || [ -n "$OFFLINE" ] || touch prometheus_1_all.deb\n'
DPKG = '#!/bin/sh\n/bin/mkdir -p "$3/usr/bin" && : > "$3/usr/bin/promtool"\n'
FAIL = 'exit "${OFFLINE:-0}"\n'


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs that is all there is on the PATH; gives the place for tools."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"apt-get": APT.replace("touch", ": >") + FAIL, "dpkg-deb": DPKG}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setattr(check, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    return tmp_path / "tools"


def test_the_programs_are_unpacked_and_nothing_is_installed(debian: Path) -> None:
    check.provide_prometheus()
    assert (debian / "usr" / "bin" / "promtool").exists()
    assert not list(debian.glob("*.deb"))
    assert (debian.parent / "calls").read_text() == "--quiet=2 download prometheus\n"


def test_once_is_enough(debian: Path) -> None:
    for _ in range(2):
        check.provide_prometheus()
    assert (debian.parent / "calls").read_text().count("download") == 1


def test_without_a_network_the_checks_go_on(debian: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFLINE", "100")
    check.provide_prometheus()
    assert not (debian / "usr").exists()


def test_root_asks_for_newer_lists(debian: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFLINE", "100")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    check.provide_prometheus()
    calls = (debian.parent / "calls").read_text().splitlines()
    assert calls == ["--quiet=2 download prometheus", "--quiet=2 update"]


def test_elsewhere_nothing_is_tried(debian: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(debian))
    check.provide_prometheus()
    assert not debian.exists()
