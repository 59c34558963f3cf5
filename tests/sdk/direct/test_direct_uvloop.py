"""The direct transport on uvloop, whose sockets are its own."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mlo_sdk import HttpClient
from tests.sdk.http_server import Received, serving, whole_json

pytest.importorskip("uvloop")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> object:
    return "asyncio", {"use_uvloop": True}


async def test_large_and_small_requests_take_turns_on_one_connection() -> None:
    def script(received: Received) -> Iterable[object]:
        return [whole_json({"size": len(received.body), "sum": sum(received.body) % 251})]

    with serving(script) as server:
        async with HttpClient(server.url) as client:
            for size in (10, 3_000_000, 10, 500_000):
                body = bytes(range(250)) * (size // 250 + 1)
                reply = await client.request("POST", "/", content=body)
                assert reply.data == {"size": len(body), "sum": sum(body) % 251}
    assert server.connections == 1
