"""Gateways as processes of their own: started by the command, asked over real sockets, stopped by signals."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from attrs import define, field

_URL = re.compile(r"https?://[\d.]+:\d+")
_KEY = re.compile(r"\bmlo-[0-9A-Za-z]{30,}\b")


@define(eq=False)
class GatewayProcess:
    """A running `mlo serve`."""

    folder: Path
    process: subprocess.Popen[bytes]
    url: str = ""
    key: str = ""
    out: Path = field(default=Path())
    err: Path = field(default=Path())

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def headers(self, key: str = "") -> dict[str, str]:
        return {"authorization": f"Bearer {key or self.key}", "content-type": "application/json"}

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=10, verify=False)

    def ask(self, model: str = "mock", key: str = "", **fields: object) -> httpx.Response:
        body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
        return httpx.post(
            f"{self.url}/v1/chat/completions", json=body, headers=self.headers(key), timeout=20, verify=False
        )

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.tell(signal.SIGTERM)
        return self.process.wait(15)

    def log(self) -> str:
        return self.err.read_text()


@contextlib.contextmanager
def gateway(
    folder: Path, configuration: str = "", *arguments: str, environment: dict[str, str] | None = None, key: str = ""
) -> Iterator[GatewayProcess]:
    """A gateway in a folder, until the end of the block. With a free port unless the arguments say otherwise."""
    folder.mkdir(exist_ok=True)
    if configuration:
        (folder / "mlo.toml").write_text(configuration)
    names = (name for name in os.environ if not name.startswith(("MLO_", "XDG_", "STATE_", "LISTEN_")))
    clean = {name: os.environ[name] for name in names} | {"MLO_LANG": "en"} | (environment or {})
    port = () if "--fd" in arguments or "--port" in arguments else ("--port", "0")
    stamp = f"{time.monotonic_ns()}"
    out, err = folder / f"out-{stamp}.txt", folder / f"err-{stamp}.txt"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        fds = [int(arguments[arguments.index("--fd") + 1])] if "--fd" in arguments else []
        process = subprocess.Popen(
            (sys.executable, "-m", "mlo_gateway.serving", *port, *arguments),
            cwd=folder,
            env=clean,
            stdout=stdout,
            stderr=stderr,
            pass_fds=fds,
        )
    found = GatewayProcess(folder, process, out=out, err=err)
    try:
        until(lambda: _URL.search(out.read_text()) is not None or process.poll() is not None, 30)
        text = out.read_text()
        url = _URL.search(text)
        assert url is not None, err.read_text()
        found.url = url[0]
        shown = _KEY.search(text)
        found.key = shown[0] if shown else key
        yield found
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that is to come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
