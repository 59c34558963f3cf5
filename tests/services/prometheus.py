"""A Prometheus server of the test's own: a free port on loopback, a temporary folder, stopped at the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.redis import free_port

__all__ = ["PrometheusServer", "program", "prometheus_server"]

_UNPACKED = Path(__file__).resolve().parents[2] / ".dev" / "tools" / "usr" / "bin"
_PATIENCE = 15.0  # seconds


def program(name: str) -> str:
    """Where `prometheus` or `promtool` is. Without it a test cannot run, which on CI is a failure."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), str(_UNPACKED))))
    if found is None:
        reason = f"{name} is missing; on Debian `./dev test unit` unpacks it, or run: apt-get install prometheus"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class PrometheusServer:
    """A running server, and what its query API says."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer; a query that is refused is an error that says why."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                told = json.load(answer)
        except urllib.error.HTTPError as error:
            told = json.load(error)
        if told["status"] != "success":
            message = f"{parameters}: {told['error']}"
            raise ValueError(message)
        return told["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query, with their labels."""
        result: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return result


@contextlib.contextmanager
def prometheus_server(target: str, rules: Path | None = None) -> Iterator[PrometheusServer]:
    """A server that scrapes ``HOST:PORT`` twice a second; a scrape that takes longer than that leaves a hole."""
    binary, port = program("prometheus"), free_port()
    with tempfile.TemporaryDirectory(prefix="mlo-prometheus-") as name:
        config = Path(name, "prometheus.yml")
        config.write_text(
            json.dumps(  # JSON is YAML
                {
                    "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
                    "rule_files": [] if rules is None else [str(rules)],
                    "scrape_configs": [{"job_name": "mlo", "static_configs": [{"targets": [target]}]}],
                }
            )
        )
        command = (binary, f"--config.file={config}", f"--storage.tsdb.path={name}/data", "--log.level=error")
        process = subprocess.Popen((*command, f"--web.listen-address=127.0.0.1:{port}"))
        try:
            server = PrometheusServer(port)
            _wait_until_ready(server, process)
            yield server
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(server: PrometheusServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{server.url}/-/ready", timeout=1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the Prometheus server did not start")
        time.sleep(0.02)
