"""A gateway in a process of its own; another process works on its database, as operators do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.plugins.gateway.serving.processes import gateway

CONFIG = """
[providers.main]
use = "mock"
answer = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
[providers.slow]
use = "mock"
answer = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
chunk_delay = 0.5
[gateway.accounts]
refresh = 0.1
[gateway.plans.tiny]
requests_month = 3
"""


def mlo(folder: Path, *arguments: str) -> str:
    """What the command prints, run as a process of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MLO_")}
    command = (str(Path(sys.executable).parent / "mlo"), *arguments)
    found = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


@pytest.mark.timeout(60)  # two processes start, each loading what a database needs
def test_a_plan_holds_and_a_revoked_key_ends_its_stream(tmp_path: Path) -> None:
    with gateway(tmp_path, CONFIG) as served:
        small = {"name": "small", "organization": "default", "plan": "tiny"}
        assert httpx.post(f"{served.url}/admin/v1/projects", json=small, headers=served.headers()).status_code == 201
        limited, streaming = (
            httpx.post(f"{served.url}/admin/v1/keys", json={"project": name}, headers=served.headers()).json()["secret"]
            for name in ("small", "default")
        )

        replies = [served.ask("main", limited) for _ in range(5)]
        assert [reply.status_code for reply in replies] == [200, 200, 200, 429, 429]
        assert "retry-after" in replies[-1].headers

        asked = {"model": "slow", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        headers, url = served.headers(streaming), f"{served.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=asked, headers=headers, timeout=15) as stream:
            lines = (line.removeprefix("data: ") for line in stream.iter_lines() if line)
            assert "choices" in json.loads(next(lines))
            mlo(tmp_path, "keys", "revoke", streaming[:12])
            rest = list(lines)
        assert json.loads(rest[-1])["error"]["code"] == "key_revoked"
        assert len(rest) < 14  # of 16 words
        assert httpx.get(f"{served.url}/v1/models", headers=headers).status_code == 401
