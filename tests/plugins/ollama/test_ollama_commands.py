"""The command `mlo ollama`, called as the core's command line calls it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from mlo.errors import ConfigError, ModelNotFound, TransportFailed
from mlo_emulators.server import RunningServer
from mlo_ollama.commands import ollama
from mlo_ollama.commands.drawing import ProgressLine, size_text, table
from mlo_ollama.commands.place import url_of_host
from mlo_ollama.pulling import PullProgress

from .conftest import Serve


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OLLAMA_HOST", "OLLAMA_API_KEY", "MLO_CONFIG", "MLO_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLO_LANG", "en")


def test_list(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert ollama(["list", "--url", server.url]) == 0
    assert "tiny-vision:latest  700.0 MB  16384" in capsys.readouterr().out


def test_list_as_json(
    server: RunningServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url.removeprefix("http://"))
    ollama(["list", "--json"])
    assert "tiny:latest" in [each["model"] for each in json.loads(capsys.readouterr().out)]


def test_lists_may_be_empty(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve(models=()).url
    ollama(["list", "--url", url])
    ollama(["ps", "--url", url])
    assert capsys.readouterr().err.splitlines() == [
        "no models; pull one with `mlo ollama pull NAME`",
        "no model is in memory",
    ]


def test_loading_and_unloading(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    url = serve().url
    for words in (["preload", "tiny", "--keep-alive", "-1"], ["ps"], ["unload", "tiny"], ["ps"]):
        ollama([*words, "--url", url])
    told = capsys.readouterr()
    assert "tiny is in memory" in told.out
    assert "tiny:latest  700.0 MB  8192" in told.out
    assert "no model is in memory" in told.err


def test_show(server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    ollama(["show", "tiny-vision", "--url", server.url])
    assert "capabilities               completion, vision" in capsys.readouterr().out
    ollama(["show", "tiny-vision", "--json", "--url", server.url])
    assert json.loads(capsys.readouterr().out)["capabilities"] == ["completion", "vision"]


def test_a_pull_goes_on_by_itself(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlo_ollama.commands.running._PAUSE", 0.0)
    server = serve(pull_cut=True)
    ollama(["pull", "small", "--url", server.url])
    told = capsys.readouterr()
    assert told.out == "small is there\n"
    assert "going on, try 2 of 5" in told.err
    assert server.journal["pulled bytes"] == 2_000_001_024


@pytest.mark.parametrize("attempts", ["0", "-1", "many"])
def test_a_pull_needs_an_attempt(attempts: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        ollama(["pull", "small", "--attempts", attempts])
    assert "--attempts" in capsys.readouterr().err


def test_a_pull_gives_up_when_told(serve: Serve) -> None:
    url = serve(pull_cut=True).url
    with pytest.raises(Exception, match="EOF"):
        ollama(["pull", "small", "--attempts", "1", "--url", url])


def test_pulling_nonsense_and_asking_nobody(server: RunningServer) -> None:
    with pytest.raises(ModelNotFound):
        ollama(["pull", "nope", "--url", server.url])
    with pytest.raises(TransportFailed, match="ollama serve"):
        ollama(["pull", "small", "--url", "http://127.0.0.1:9"])


def test_an_instance_of_the_configuration(
    serve: Serve, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(api_key="key-123")
    auth = '{ use = "bearer", token = "env:LOCAL_KEY" }'
    (tmp_path / "mlo.toml").write_text(
        f'[providers.mock]\nuse = "mock"\n[providers.local]\nuse = "ollama"\nbase_url = "{server.url}"\nauth = {auth}\n'
    )
    monkeypatch.setenv("LOCAL_KEY", "key-123")
    assert ollama(["list"]) == 0
    assert ollama(["list", "--instance", "local"]) == 0
    assert "tiny:latest" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="no instance 'mock'"):
        ollama(["list", "--instance", "mock"])


def test_the_key_of_the_environment(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "key-123")
    ollama(["list", "--url", serve(api_key="key-123").url])
    assert "tiny:latest" in capsys.readouterr().out


def test_texts_are_in_the_readers_language(
    serve: Serve, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLO_LANG", "ru")
    ollama(["ps", "--url", serve().url])
    assert "в памяти нет ни одной модели" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box:8080", "http://box:8080"),
        ("[::1]", "http://[::1]:11434"),
        ("https://ai.example.org/x/", "https://ai.example.org:443/x"),
        ("http://box", "http://box:80"),
    ],
    ids=["empty", "any", "port", "ipv6", "https", "http"],
)
def test_addresses_as_the_servers_own_tools_read_them(host: str, url: str) -> None:
    assert url_of_host(host) == url


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_moves_on_a_terminal() -> None:
    out, now = Terminal(), [0.0]
    line = ProgressLine(out, lambda: now[0])
    for completed in (0, 1_000_000, 3_000_000, 4_000_000):
        line.show(PullProgress(status="pulling abc", digest="d", total=4_000_000, completed=completed))
        now[0] += 1
    line.end()
    drawn = out.getvalue().split("\r\x1b[K")
    assert "  0%" in drawn[1]
    assert " 75%  3.0 MB/4.0 MB  1.5 MB/s" in drawn[3]
    assert "#] 100%  4.0 MB/4.0 MB" in drawn[4]
    assert out.getvalue().endswith("\n")


def test_a_file_gets_one_line_for_each_status() -> None:
    out = io.StringIO()
    line = ProgressLine(out)
    for status in ("pulling manifest", "pulling abc", "pulling abc", "success"):
        line.show(PullProgress(status=status))
    assert out.getvalue().splitlines() == ["pulling manifest", "pulling abc", "success"]


def test_sizes_and_tables() -> None:
    assert [size_text(size) for size in (None, 999, 1000, 2_019_393_189)] == ["", "999 B", "1.0 KB", "2.0 GB"]
    assert table(("A", "BB"), [("1", "2"), ("333", "")]) == "A    BB\n1    2\n333"
