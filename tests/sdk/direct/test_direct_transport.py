"""The pool on real sockets. What every transport must do is tested in tests/sdk/http for all of them."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import anyio
import httpx
import pytest

from mlo.errors import TransportFailed
from mlo_sdk import HttpClient, HttpSettings, Timeouts
from tests.sdk.http_server import CLOSE, HANG, Received, Script, chunk, head, serving, streamed, whole, whole_json

pytestmark = pytest.mark.anyio


def settings(**more: object) -> HttpSettings:
    return HttpSettings(transport="direct", timeouts=Timeouts(connect=2.0, first_byte=2.0, idle=2.0), **more)  # type: ignore[arg-type]  # of any field


def always(*pieces: object) -> Script:
    def script(_request: Received) -> Iterable[object]:
        return list(pieces)

    return script


async def test_calls_share_a_connection() -> None:
    with serving(always(whole_json({"n": 1}))) as server:
        async with HttpClient(server.url, settings=settings()) as client:
            for _ in range(20):
                assert (await client.request("POST", "/x", json={"a": "б"})).data == {"n": 1}
    assert server.connections == 1
    assert server.requests[-1].json() == {"a": "б"}


async def test_an_unread_stream_costs_its_connection() -> None:
    with serving(always(*streamed(b"a\n", b"b\n", end=False), HANG)) as server:
        async with HttpClient(server.url, settings=settings()) as client, client.stream("GET", "/x") as reply:
            async for piece in (pieces := reply.chunks()):
                assert piece
                break
            await pieces.aclose()
        assert await anyio.to_thread.run_sync(server.closed_by_client.wait, 5)


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    with serving(always(whole_json({}), CLOSE)) as server:
        async with HttpClient(server.url, settings=settings()) as client:
            for _ in range(3):
                await client.request("GET", "/x")
                await anyio.sleep(0.05)
    assert server.connections == 3


async def test_a_connection_is_given_up_when_the_server_says_so() -> None:
    with serving(always(whole(b"{}", "connection: close"), CLOSE)) as server:
        async with HttpClient(server.url, settings=settings()) as client:
            assert [(await client.request("GET", "/x")).data for _ in range(2)] == [{}, {}]
    assert server.connections == 2


async def test_idle_connections_age_and_are_counted() -> None:
    with serving(always(whole_json({}))) as server:
        async with HttpClient(server.url, settings=settings(keep_alive=0.0)) as client:
            await client.request("GET", "/x")
            await anyio.sleep(0.01)
            await client.request("GET", "/x")
        async with HttpClient(server.url, settings=settings(max_idle=0)) as client:
            await client.request("GET", "/x")
            await client.request("GET", "/x")
    assert server.connections == 4


async def test_connections_are_capped() -> None:
    with serving(always(whole_json({}))) as server:
        async with HttpClient(server.url, settings=settings(max_connections=2)) as client:
            async with anyio.create_task_group() as tasks:
                for _ in range(12):
                    tasks.start_soon(client.request, "GET", "/x")
    assert len(server.requests) == 12
    assert server.connections <= 2


async def test_a_failure_frees_the_place_of_its_connection() -> None:
    with serving(always(CLOSE)) as server:
        async with HttpClient(server.url, settings=settings(max_connections=1)) as client:
            for _ in range(3):
                with pytest.raises(TransportFailed, match="closed the connection without an answer"):
                    await client.request("GET", "/x")


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((head(200, "content-length: 9"), b"{", CLOSE), "in the middle of an answer"),
        ((head(200, "transfer-encoding: chunked"), chunk(b"{"), CLOSE), "in the middle of an answer"),
        ((b"nonsense\r\n\r\n",), "does not begin like HTTP"),
        ((HANG,), "first_byte"),
        ((head(200, "content-length: 9"), HANG), "idle"),
    ],
    ids=["counted", "chunked", "nonsense", "silent", "stuck"],
)
async def test_broken_answers(pieces: tuple[object, ...], words: str) -> None:
    quick = HttpSettings(transport="direct", timeouts=Timeouts(connect=2.0, first_byte=0.3, idle=0.3))
    with serving(always(*pieces)) as server:
        async with HttpClient(server.url, settings=quick) as client:
            with pytest.raises(TransportFailed, match=words):
                await client.request("GET", "/x")


async def test_nobody_listens() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        async with HttpClient(f"http://127.0.0.1:{deaf.getsockname()[1]}", settings=settings()) as client:
            with pytest.raises(TransportFailed, match="cannot connect"):
                await client.request("GET", "/x")


async def test_a_header_cannot_smuggle_and_is_not_shown() -> None:
    with serving(always(whole_json({}))) as server:
        async with HttpClient(server.url, settings=settings()) as client:
            with pytest.raises(TransportFailed) as caught:
                await client.request("GET", "/x", headers={"x": "s3cret\r\ny: z"})
    assert "s3cret" not in repr(caught.value)
    assert server.requests == []


async def test_a_request_must_have_an_asynchronous_body() -> None:
    from mlo_sdk.direct import DirectTransport

    with serving(always(whole_json({}))) as server:
        import ssl

        transport = DirectTransport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), settings())
        request = httpx.Request("POST", server.url, content=iter([b"x"]))
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(request)
        await transport.aclose()
