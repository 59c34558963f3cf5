"""What clients do to a connection, on real sockets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from mlo import Router
from mlo_gateway.config import DataConfig

from .running import Served, served

ANSWER = "слово " * 1_000_000  # more than the buffers of a connection hold


@pytest.fixture(scope="module")
def gateway() -> Iterator[Served]:
    def providers(router: Router) -> None:
        router.add_provider("slow", use="mock", chunk_delay=0.02, answer="слово " * 10_000)
        router.add_provider("big", use="mock", answer=ANSWER, chunk_size=20_000)
        router.add_provider("mock")

    with served(Router, providers, data=DataConfig(send_timeout=0.4, body_timeout=0.4)) as gateway:
        yield gateway


def request(model: str, *lines: str) -> bytes:
    document = {"model": model, "stream": model != "mock", "messages": [{"role": "user", "content": "hi"}]}
    body = json.dumps(document).encode()
    head = ["POST /v1/chat/completions HTTP/1.1", "host: x", "content-type: application/json", *lines]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode() + body


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(1)
        assert piece
        data += piece
    return data


def test_a_client_that_hangs_up_ends_its_stream(gateway: Served) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(request("slow"))
        assert read_head(connection).startswith(b"HTTP/1.1 200")
        until(lambda: gateway.app.watch.streams == 1)  # the head is on its way before that is noted
    until(lambda: len(gateway.app.watch) == 0)


def test_a_client_that_does_not_read_is_given_up(gateway: Served) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(request("big"))
        until(lambda: gateway.app.watch.streams == 1)
        until(lambda: len(gateway.app.watch) == 0)
        received = 0
        while piece := connection.recv(1 << 20):
            received += len(piece)
    assert received < len(ANSWER.encode())


def test_a_client_that_reads_slowly_gets_everything(gateway: Served) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(request("big", "connection: close"))
        data = b""
        for turn in range(100_000):
            piece = connection.recv(1 << 18)
            if not piece:
                break
            data += piece
            if turn < 10:
                time.sleep(0.02)
    assert data.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_a_body_that_drips_is_given_up(gateway: Served) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(request("mock")[:-10])
        assert read_head(connection).startswith(b"HTTP/1.1 408")
    until(lambda: len(gateway.app.watch) == 0)


def test_connections_are_kept_and_requests_may_follow_each_other(gateway: Served) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(request("mock") * 3)
        data = b""
        while data.count(b"chat.completion") < 3:
            data += connection.recv(65_536)
    assert data.count(b"HTTP/1.1 200") == 3


@pytest.mark.parametrize("line", ["x-request-id: a\rb", "x-request-id: a\x00b", "authorization: Bearer \x01"])
def test_a_header_cannot_break_out(gateway: Served, line: str) -> None:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(request("mock", line))
        head = read_head(connection).decode("latin-1")
    assert head.startswith(("HTTP/1.1 400", "HTTP/1.1 200"))
    assert "\x00" not in head
    assert "\x01" not in head
    assert "\rb" not in head.replace("\r\n", "\n")
