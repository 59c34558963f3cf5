"""Servers that close too early, say too much, or take their time."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from mlo.errors import TransportFailed
from mlo_sdk import HttpClient, HttpSettings, Timeouts, TlsConfig
from tests.sdk.http_server import CLOSE, Received, Script, serving, whole_json

pytestmark = pytest.mark.anyio

SETTINGS = HttpSettings(transport="direct", timeouts=Timeouts(connect=5.0, first_byte=5.0, idle=5.0))


def closing_on_the_second_request() -> Script:
    """As late as a server can be that is tired of waiting for it."""
    seen = []

    def script(request: Received) -> Iterable[object]:
        seen.append(request)
        return [CLOSE] if len(seen) == 2 else [whole_json({})]

    return script


async def test_what_has_no_effects_is_sent_again_when_an_idle_connection_closes() -> None:
    with serving(closing_on_the_second_request()) as server:
        async with HttpClient(server.url, settings=SETTINGS) as client:
            assert [(await client.request("GET", "/x")).data for _ in range(2)] == [{}, {}]
    assert (server.connections, len(server.requests)) == (2, 3)


async def test_what_may_have_been_done_is_not_sent_again() -> None:
    with serving(closing_on_the_second_request()) as server:
        async with HttpClient(server.url, settings=SETTINGS) as client:
            await client.request("POST", "/x")
            with pytest.raises(TransportFailed, match=r"was lost") as caught:
                await client.request("POST", "/x")
    assert caught.value.retryable
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_a_new_connection_that_closes_is_an_error_at_once() -> None:
    with serving(lambda _: [CLOSE]) as server:
        async with HttpClient(server.url, settings=SETTINGS) as client:
            with pytest.raises(TransportFailed, match=r"was lost"):
                await client.request("GET", "/x")
    assert server.connections == 1


async def test_half_an_answer_is_not_asked_for_again() -> None:
    seen = []

    def script(request: Received) -> Iterable[object]:
        seen.append(request)
        return [whole_json({})] if len(seen) == 1 else [b"HTTP/1.1 200", CLOSE]

    with serving(script) as server:
        async with HttpClient(server.url, settings=SETTINGS) as client:
            await client.request("GET", "/x")
            with pytest.raises(TransportFailed, match="without an answer"):
                await client.request("GET", "/x")
    assert len(server.requests) == 2


async def test_a_second_answer_in_the_same_tls_packet_is_nobodys(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    tls = TlsConfig(ca_file=str(tmp_path / "ca.pem"))
    with listening(lambda connection: answer_twice(connection, context)) as address:
        async with HttpClient(f"https://{address}", settings=SETTINGS, tls=tls) as client:
            assert [(await client.request("POST", "/x")).data for _ in range(3)] == [1, 1, 1]


def answer_twice(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Two records in one packet, for each request."""
    received, pending = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, pending, server_side=True)
    greeted = False
    while data := connection.recv(65_536):
        received.write(data)
        with suppress(ssl.SSLWantReadError):
            if not greeted:
                tls.do_handshake()
                greeted = True
            if tls.read(65_536):
                tls.write(whole_json(1))
                tls.write(whole_json(2))
        if packet := pending.read():
            connection.sendall(packet)


async def test_a_slow_line_is_no_silence() -> None:
    body = b"x" * 24_000_000
    settings = HttpSettings(transport="direct", timeouts=Timeouts(connect=5.0, first_byte=5.0, idle=1.0))
    with listening(lambda connection: sip(connection, len(body))) as address:
        async with HttpClient(f"http://{address}", settings=settings) as client:
            assert (await client.request("POST", "/x", content=body)).data == {}


def sip(connection: socket.socket, size: int) -> None:
    """Takes the request in small sips, for longer than the client would wait for one of them."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 400_000)
    taken = 0
    while taken < size and (data := connection.recv(200_000)):
        taken += len(data)
        time.sleep(0.015)
    connection.sendall(whole_json({}))


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serves each connection in a thread, until the client closes it."""
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=one, args=(listener.accept()[0],), daemon=True)
                threads.append(thread)
                thread.start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
    for thread in threads:
        thread.join(5)
