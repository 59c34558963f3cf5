from __future__ import annotations

import json
import random
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mlo_emulators.server import Journal, Recording, RunningServer, connection, running
from mlo_emulators.tls import throwaway


async def _echo(request: Request) -> Response:
    return JSONResponse({"body": (await request.body()).decode()})


async def _cut(request: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        line = connection(request.scope)
        assert line is not None
        line.close()
        yield b"never"

    return StreamingResponse(body())


async def _endless(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"abc"
            await anyio.sleep(0.01)

    return StreamingResponse(body())


def _app() -> Starlette:
    journal = Journal()
    routes = [Route("/echo", _echo, methods=["POST"]), Route("/cut", _cut), Route("/endless", _endless)]
    app = Starlette(routes=routes, middleware=[Middleware(Recording, journal=journal)])
    app.state.journal = journal
    return app


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running(_app()) as started:
        yield started


def test_requests_are_recorded_and_still_readable(server: RunningServer) -> None:
    answer = httpx.post(f"{server.url}/echo?a=1", content='{"x": "ё"}', headers={"X-Two": "1"})
    (request,) = server.journal.requests
    assert answer.json() == {"body": '{"x": "ё"}'}
    assert (request.method, request.path, request.query) == ("POST", "/echo", "a=1")
    assert request.json() == {"x": "ё"}
    assert request.headers["x-two"] == "1"


def test_connections_are_counted_once_when_reused(server: RunningServer) -> None:
    with httpx.Client() as client:
        for _ in range(3):
            client.post(f"{server.url}/echo", content=b"x")
    assert server.journal.wait_for("connections closed")
    assert server.journal.counts == {"connections opened": 1, "connections closed": 1}


def test_a_cut_is_seen_as_an_incomplete_body_and_is_not_the_clients_doing(server: RunningServer) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{server.url}/cut")
    assert server.journal.wait_for("connections closed")
    assert server.journal["client disconnects"] == 0


def test_a_client_that_leaves_is_noticed(server: RunningServer) -> None:
    with httpx.Client() as client, client.stream("GET", f"{server.url}/endless") as response:
        next(response.iter_raw())
    assert server.journal.wait_for("client disconnects")


def test_nothing_is_left_behind() -> None:
    with running(_app()) as server:
        address = (server.host, server.port)
        assert httpx.post(f"{server.url}/echo", content=b"x").status_code == 200
    assert f"emulator-{server.port}" not in {thread.name for thread in threading.enumerate()}
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(address)


def test_a_taken_port_is_an_error(server: RunningServer) -> None:
    with pytest.raises(OSError, match="in use"), running(_app(), port=server.port):
        pytest.fail("it started")


def test_missing_tls_files_are_an_error(tmp_path: Path) -> None:
    tls = throwaway(tmp_path).server
    tls.cert_file.unlink()
    with pytest.raises(OSError, match="No such file"), running(_app(), tls=tls):
        pytest.fail("it started")


def test_one_app_can_be_served_twice() -> None:
    app = _app()
    with running(app) as first, running(app) as second:
        httpx.post(f"{first.url}/echo", content=b"1")
        httpx.post(f"{second.url}/echo", content=b"2")
        assert [request.body for request in first.journal.requests] == [b"1", b"2"]


def test_tls_with_a_required_client_certificate(tmp_path: Path) -> None:
    files = throwaway(tmp_path, client_cert=True)
    known, unknown = (ssl.create_default_context(cafile=str(files.ca_file)) for _ in range(2))
    known.load_cert_chain(files.client_cert_file, files.client_key_file)
    with running(_app(), tls=files.server) as server:
        assert server.url.startswith("https://")
        assert httpx.post(f"{server.url}/echo", content=b"x", verify=known).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{server.url}/echo", content=b"x", verify=unknown)


def test_private_keys_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    files = throwaway(tmp_path)
    assert files.server.key_file.stat().st_mode & 0o077 == 0
    assert files.client_key_file.stat().st_mode & 0o077 == 0


def test_recorded_requests_do_not_show_secrets(server: RunningServer) -> None:
    httpx.post(f"{server.url}/echo", content=json.dumps({"p": "canary"}), headers={"Authorization": "Bearer canary"})
    assert "canary" not in repr(server.journal.requests)


def test_the_journal_counts_from_many_threads() -> None:
    journal, order = Journal(), random.Random(0)

    def count() -> None:
        for _ in range(order.randint(100, 200)):
            journal.count("seen")
        journal.count("threads")

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert journal.wait_for("threads", 8)
    for thread in threads:
        thread.join()
    assert journal["seen"] >= 800
    journal.clear()
    assert journal.counts == {}
