"""Streams that are open while the gateway ends, is replaced, or reads its configuration again: none is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from attrs import define, field

from tests.plugins.gateway.serving.processes import GatewayProcess, gateway, until

# starting processes takes its time
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

_STREAMS = int(os.environ.get("MLO_STREAMS", "15"))
_WORKERS = os.environ.get("MLO_WORKERS", "1")
_WORDS = 35 + _STREAMS  # long enough for all of them to be open at once
_CONFIGURATION = f"""
[providers.slow]
use = "mock"
chunk_delay = 0.05
answer = "{" ".join(str(number) for number in range(_WORDS))}"

[providers.quick]
use = "mock"
"""

_NO_KEYS_AND_LITTLE_PATIENCE = """
[gateway]
auth = "off"

[gateway.serve]
drain_timeout = 0.3
"""


@pytest.fixture
def anyio_backend() -> object:
    """The client of this test; the gateway is another process."""
    return ("asyncio", {"use_uvloop": False})


@define
class Streams:
    """What the streams have come to so far."""

    started: int = 0
    whole: int = 0
    broken: list[str] = field(factory=list)
    refused: list[str] = field(factory=list)

    async def read(self, client: httpx.AsyncClient, url: str, key: str) -> None:
        body = {"model": "slow", "stream": True, "messages": [{"role": "user", "content": "count"}]}
        headers = {"authorization": f"Bearer {key}"}
        text, done, error, counted = "", False, "", False
        try:
            async with client.stream("POST", f"{url}/v1/chat/completions", json=body, headers=headers) as answer:
                if answer.status_code != 200:
                    self.refused.append(f"{answer.status_code} {await answer.aread()!r}")
                    return
                async for line in answer.aiter_lines():
                    if not counted:
                        self.started, counted = self.started + 1, True
                    if line == "data: [DONE]":
                        done = True
                    elif line.startswith("data: "):
                        chunk = json.loads(line[6:])
                        error = chunk["error"]["code"] if "error" in chunk else error
                        for choice in chunk.get("choices", ()):
                            text += choice["delta"].get("content") or ""
        except httpx.HTTPError as problem:
            self.broken.append(repr(problem))
            return
        if done and text == " ".join(str(number) for number in range(_WORDS)):
            self.whole += 1
        else:
            self.broken.append(f"{text[-20:]!r} done={done} {error}")


def _client() -> httpx.AsyncClient:
    """A client that opens a connection for each request."""
    return httpx.AsyncClient(
        timeout=20, verify=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
    )


@asynccontextmanager
async def _open_streams(url: str, key: str) -> AsyncIterator[Streams]:
    """Streams that are all open when the block begins, and all over when it has ended."""
    streams = Streams()
    async with _client() as client, anyio.create_task_group() as tasks:
        for _ in range(_STREAMS):
            tasks.start_soon(streams.read, client, url, key)
        with anyio.fail_after(15):
            while streams.started < _STREAMS:
                await anyio.sleep(0.01)
                assert not streams.broken
                assert not streams.refused
        yield streams


async def _steadily(ask: Callable[[], Awaitable[httpx.Response]], until_set: anyio.Event, into: list[str]) -> None:
    while not until_set.is_set():
        try:
            answer = await ask()
            into.append("ok" if answer.status_code == 200 else f"{answer.status_code} {answer.text}")
        except httpx.HTTPError as error:
            into.append(repr(error))
        await anyio.sleep(0.01)


async def _ask_quick(url: str, key: str) -> httpx.Response:
    body = {"model": "quick", "messages": [{"role": "user", "content": "Hi"}]}
    async with _client() as client:
        return await client.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"})


async def test_sigterm_lets_streams_end(tmp_path: Path) -> None:
    with gateway(tmp_path, _CONFIGURATION + f"[gateway.serve]\ndrain_delay = {1 + _STREAMS / 50}\n") as running:
        async with _open_streams(running.url, running.key) as streams:
            running.tell(signal.SIGTERM)
            # it says that it is not ready before it stops accepting, so that load balancers can go elsewhere
            with anyio.fail_after(5):
                while (await _get(running, "/readyz")).status_code == 200:
                    await anyio.sleep(0.01)
            assert (await _get(running, "/readyz")).json()["checks"]["process"] == "draining"
            assert (await _ask_quick(running.url, running.key)).status_code == 200
            await anyio.to_thread.run_sync(until, lambda: "draining" in running.log())
            with pytest.raises(httpx.ConnectError):
                await _ask_quick(running.url, running.key)
        assert (streams.whole, streams.broken) == (_STREAMS, [])
        assert running.process.wait(10) == 0


async def _get(running: GatewayProcess, path: str) -> httpx.Response:
    async with _client() as client:
        return await client.get(running.url + path)


async def test_streams_that_outlast_the_patience_end_with_an_error_event(tmp_path: Path) -> None:
    with gateway(tmp_path, _CONFIGURATION + _NO_KEYS_AND_LITTLE_PATIENCE) as running:
        assert running.key == ""
        async with _open_streams(running.url, "none") as streams:
            running.tell(signal.SIGTERM)
        assert streams.whole == 0
        assert len(streams.broken) == _STREAMS
        assert all("shutting_down" in what for what in streams.broken)
        assert running.process.wait(10) == 0


async def test_a_reload_drops_no_stream(tmp_path: Path) -> None:
    with gateway(tmp_path, _CONFIGURATION) as running:
        async with _open_streams(running.url, running.key) as streams:
            (tmp_path / "mlo.toml").write_text(_CONFIGURATION + '[providers.added]\nuse = "mock"\nanswer = "new"\n')
            running.tell(signal.SIGHUP)
            with anyio.fail_after(3):  # long before the streams end
                while "added" not in (await _models(running)):
                    await anyio.sleep(0.02)
            assert streams.whole == 0
            assert running.ask("added").json()["choices"][0]["message"]["content"] == "new"
            (tmp_path / "mlo.toml").write_text("[providers.added\n")
            running.tell(signal.SIGHUP)
            await anyio.to_thread.run_sync(until, lambda: "stays as it was" in running.log())
            assert running.ask("added").status_code == 200
        assert (streams.whole, streams.broken) == (_STREAMS, [])
        (tmp_path / "mlo.toml").write_text(_CONFIGURATION + "[gateway.serve]\nidle_timeout = 5\n")
        assert (await _reload(running))["ignored"] == ["gateway.serve.idle_timeout"]
        (tmp_path / "mlo.toml").write_text("nonsense = 1\n")
        assert "nonsense" in (await _reload(running))["error"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [('[gateway.aliases]\nshort = "nowhere"\n', "nowhere"), ('[gateway.accounts]\nplan = "none"\n', "no plan 'none'")],
)
async def test_of_a_wrong_configuration_nothing_is_taken_over(tmp_path: Path, wrong: str, said: str) -> None:
    good = '[providers.mock]\nuse = "mock"\n'
    with gateway(tmp_path, good + '[gateway.aliases]\nfast = "mock"\n') as running:
        (tmp_path / "mlo.toml").write_text(good.replace("mock]", "other]") + wrong)
        assert said in (await _reload(running))["error"]
        assert await _models(running) == ["default", "mock", "fast", "mock/mock"]
        assert running.ask("fast").status_code == 200
        (tmp_path / "mlo.toml").write_text(good.replace("mock]", "other]"))
        assert await _reload(running) == {"error": "", "ignored": []}
        assert await _models(running) == ["default", "other", "other/mock"]


async def _reload(running: GatewayProcess) -> dict[str, Any]:
    async with _client() as client:
        answer = await client.post(f"{running.url}/admin/v1/reload", headers=running.headers())
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def _models(running: GatewayProcess) -> list[str]:
    async with _client() as client:
        answer = await client.get(f"{running.url}/v1/models", headers=running.headers())
    return [model["id"] for model in answer.json()["data"]]


async def test_a_new_gateway_takes_over_the_port(tmp_path: Path) -> None:
    configuration = _CONFIGURATION + "[gateway.serve]\nreuse_port = true\n"
    over = anyio.Event()
    answers: list[str] = []
    with gateway(tmp_path, configuration) as old:
        async with _open_streams(old.url, old.key) as streams, anyio.create_task_group() as tasks:
            tasks.start_soon(_steadily, lambda: _ask_quick(old.url, old.key), over, answers)
            with gateway(tmp_path, configuration, "--port", str(old.port), key=old.key) as new:
                old.tell(signal.SIGTERM)
                await anyio.to_thread.run_sync(until, lambda: "draining" in old.log())
                await anyio.sleep(0.5)
                before = len(answers)
                await anyio.to_thread.run_sync(until, lambda: len(answers) > before + 5)
                over.set()
                assert new.process.poll() is None
                with anyio.fail_after(15):
                    while streams.whole + len(streams.broken) < _STREAMS:
                        await anyio.sleep(0.02)
        assert (streams.whole, streams.broken) == (_STREAMS, [])
        # a connection that waits in the very moment of the old one's end may be reset; requests may be repeated
        assert answers.count("ok") >= len(answers) - 1


async def test_workers_are_replaced_without_loss(tmp_path: Path) -> None:
    over = anyio.Event()
    answers: list[str] = []
    with gateway(tmp_path, _CONFIGURATION, "--workers", _WORKERS) as running:
        count = int(_WORKERS)
        await anyio.to_thread.run_sync(until, lambda: len(_workers(running)) == count, 30)
        before = _workers(running)
        async with _open_streams(running.url, running.key) as streams, anyio.create_task_group() as tasks:
            tasks.start_soon(_steadily, lambda: _ask_quick(running.url, running.key), over, answers)
            running.tell(signal.SIGUSR2)
            with anyio.fail_after(30):
                while len(_workers(running) - before) < count or streams.whole + len(streams.broken) < _STREAMS:
                    await anyio.sleep(0.05)
            over.set()
        assert (streams.whole, streams.broken) == (_STREAMS, [])
        assert set(answers) == {"ok"}
        await anyio.to_thread.run_sync(until, lambda: not before & _workers(running))
        os.kill(next(iter(_workers(running))), signal.SIGKILL)
        await anyio.to_thread.run_sync(until, lambda: "ended with code -9" in running.log())
        await anyio.to_thread.run_sync(until, lambda: len(_workers(running)) == count, 30)
        assert (await _ask_quick(running.url, running.key)).status_code == 200
        assert running.stop() == 0
        assert running.out.read_text().count("Gateway on") == 1  # by the first one alone


def _workers(running: GatewayProcess) -> set[int]:
    found = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children").read_text()
    return {int(number) for number in found.split()}
