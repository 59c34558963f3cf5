from __future__ import annotations

from pathlib import Path

import pytest

from mlo.errors import AuthFailed, ConfigError, TransportFailed
from mlo_emulators.gigachat import Emulator
from mlo_gigachat.commands import gigachat


def oauth(url: str) -> list[str]:
    return ["--auth-url", f"{url}/api/v2/oauth"]


def api(url: str) -> list[str]:
    return [*oauth(url), "--base-url", f"{url}/v1"]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("scope", ["GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP"])
def test_the_fitting_scope_is_found(
    url: str, emulator: Emulator, capsys: pytest.CaptureFixture[str], scope: str
) -> None:
    emulator.configure(key_scopes=(scope,))
    assert gigachat(["check", *oauth(url)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines[:3]].count(["fits,", "token"]) == 1
    assert f'scope = "{scope}"' in lines[3]


@pytest.mark.usefixtures("key")
def test_no_scope_may_fit(url: str, emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.configure(key="b3RoZXI6a2V5")
    assert gigachat(["check", *oauth(url)]) == 1
    out = capsys.readouterr().out
    assert out.count("does not fit") == 3
    assert "the key is unknown" in out


@pytest.mark.usefixtures("key")
def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(TransportFailed):
        gigachat(["check", *oauth("http://127.0.0.1:1")])


def test_without_a_key_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIGACHAT_KEY", raising=False)
    with pytest.raises(ConfigError, match="no key in GIGACHAT_KEY"):
        gigachat(["check"])


def test_the_key_may_come_from_a_file(url: str, emulator: Emulator, key: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"Basic {key}\n")
    assert gigachat(["check", *oauth(url), "--key-file", str(file)]) == 0
    assert emulator.journal["oauth requests"] == 3


@pytest.mark.usefixtures("key")
def test_a_key_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        gigachat(["check", "--key-file", str(tmp_path / "none")])


@pytest.mark.usefixtures("key", "emulator")
def test_files_go_up_and_down(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, copy = tmp_path / "notes.txt", tmp_path / "copy.txt"
    source.write_bytes(b"one\r\ntwo")
    assert gigachat(["upload", *api(url), str(source)]) == 0
    file_id = capsys.readouterr().out.strip()
    assert gigachat(["files", *api(url)]) == 0
    assert f"{file_id}           8  notes.txt" in capsys.readouterr().out
    assert gigachat(["download", *api(url), file_id, str(copy)]) == 0
    assert copy.read_bytes() == b"one\r\ntwo"
    assert gigachat(["delete", *api(url), file_id]) == 0
    assert gigachat(["files", *api(url)]) == 0
    assert capsys.readouterr().out.endswith("deleted\n")


@pytest.mark.usefixtures("key", "emulator")
def test_the_balance_is_shown(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert gigachat(["balance", *api(url)]) == 0
    assert "GigaChat-2                          900,000 tokens" in capsys.readouterr().out


@pytest.mark.usefixtures("key")
def test_a_wrong_scope_says_how_to_find_the_right_one(url: str, emulator: Emulator) -> None:
    emulator.configure(key_scopes=("GIGACHAT_API_CORP",))
    with pytest.raises(AuthFailed, match="mlo gigachat check"):
        gigachat(["balance", *api(url)])


@pytest.mark.parametrize("argv", [[], ["unknown"], ["upload"], ["check", "--scope", "x"]])
def test_wrong_usage_is_exit_code_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        gigachat(argv)
    assert caught.value.code == 2
