"""One client in several event loops."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable

import anyio
import pytest

from mlo_sdk import HttpClient
from tests.sdk.http_server import Received, serving, whole_json

pytestmark = pytest.mark.anyio


def answer_ok(request: Received) -> Iterable[object]:
    return [whole_json({}, *(["connection: close"] if request.path == "/last" else []))]


async def test_each_loop_has_connections_of_its_own() -> None:
    async def elsewhere() -> None:
        await client.request("GET", "/")
        await client.request("GET", "/last")

    with serving(answer_ok) as server:
        async with HttpClient(server.url) as client:
            await client.request("GET", "/")
            await anyio.to_thread.run_sync(anyio.run, elsewhere)
            await client.request("GET", "/")
    assert (len(server.requests), server.connections) == (4, 2)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # whose loop ends takes the sockets with it
async def test_connections_of_loops_that_have_ended_are_not_kept() -> None:
    async def elsewhere() -> None:
        await client.request("GET", "/")

    with serving(answer_ok) as server:
        async with HttpClient(server.url) as client:
            for _ in range(4):
                await anyio.to_thread.run_sync(anyio.run, elsewhere)
                gc.collect()
            assert await anyio.to_thread.run_sync(server.closed_by_client.wait, 5)
        gc.collect()
    assert server.connections == 4


async def test_connections_of_a_loop_that_still_runs_are_closed_in_it() -> None:
    used, may_end = threading.Event(), threading.Event()

    async def elsewhere(client: HttpClient) -> None:
        await client.request("GET", "/")
        used.set()
        await anyio.to_thread.run_sync(may_end.wait, 10)

    with serving(answer_ok) as server:
        async with HttpClient(server.url) as client:
            thread = threading.Thread(target=anyio.run, args=(elsewhere, client), daemon=True)
            thread.start()
            assert await anyio.to_thread.run_sync(used.wait, 10)
        gone = await anyio.to_thread.run_sync(server.closed_by_client.wait, 5)
        may_end.set()
        await anyio.to_thread.run_sync(thread.join, 10)
    assert gone
