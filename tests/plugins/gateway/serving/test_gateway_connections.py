"""Connections on real sockets: slow ones, long heads, many of them, and the end of the server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import anyio
import attrs
import pytest

from tests.plugins.gateway.serving.serving import Served, answer, everything, serving

_GET = b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n"


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Greets; reads the body first; `/slow` takes its time, `/stream` goes on for ever."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        await anyio.sleep(0.5)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    if scope["path"] == "/stream":
        await anyio.sleep_forever()
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(hello, header_timeout=0.3, idle_timeout=0.6, header_limit=2000, drain_timeout=0.4) as server:
        yield server


def test_requests_follow_each_other_on_one_connection(served: Served) -> None:
    with served.connect() as client:
        for _ in range(3):
            client.sendall(_GET)
            assert answer(client).endswith(b"hello")
        client.sendall(b"POST /hello HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab")
        time.sleep(0.5)  # longer than a head may take: a body has a limit of its own
        client.sendall(b"cd")
        assert answer(client).endswith(b"hello")


def test_requests_sent_at_once_are_answered_in_turn(served: Served) -> None:
    with served.connect(_GET + _GET + _GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")) as client:
        assert everything(client).count(b"hello") == 3


def test_a_head_that_trickles_in_is_cut_off(served: Served) -> None:
    began = time.monotonic()
    with served.connect(b"GET /hel") as client:
        for _ in range(4):
            time.sleep(0.05)
            client.sendall(b"x")
        assert everything(client).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 5


def test_a_second_head_that_trickles_in_is_cut_off(served: Served) -> None:
    with served.connect(_GET) as client:
        assert answer(client).endswith(b"hello")
        client.sendall(b"GET /he")
        assert everything(client).startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_a_request_is_closed(served: Served) -> None:
    with served.connect() as client:
        assert everything(client) == b""


def test_a_connection_that_fell_silent_is_closed(served: Served) -> None:
    with served.connect(_GET) as client:
        assert answer(client).endswith(b"hello")
        assert everything(client) == b""


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_head_that_is_too_long_is_refused(served: Served, pieces: int) -> None:
    head = b"GET /hello HTTP/1.1\r\nhost: x\r\n" + b"x-junk: " + b"j" * 3000 + b"\r\n\r\n"
    size = -(-len(head) // pieces)
    with served.connect() as client:
        try:
            for start in range(0, len(head), size):
                client.sendall(head[start : start + size])
                time.sleep(0.001)
        except OSError:
            pass
        reply = everything(client)
    assert b"hello" not in reply
    assert reply.startswith(b"HTTP/1.1 431 ") or reply == b""


def test_nonsense_is_answered_with_an_error(served: Served) -> None:
    with served.connect(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n") as client:
        assert everything(client).startswith(b"HTTP/1.1 400 ")


def test_connections_beyond_the_bound_are_sent_away() -> None:
    with serving(hello, connections=2) as server:
        with server.connect(_GET) as first, server.connect(_GET) as second:
            assert answer(first).endswith(b"hello")
            assert answer(second).endswith(b"hello")
            with server.connect() as third:
                assert everything(third).startswith(b"HTTP/1.1 503 ")
            first.sendall(_GET)
            assert answer(first).endswith(b"hello")


def test_the_end_waits_for_requests_under_way(served: Served) -> None:
    served.bounds.config = _patient(served)
    with served.connect(_GET.replace(b"/hello", b"/slow")) as client, served.connect() as idle:
        time.sleep(0.1)
        served.stop()
        reply = everything(client)
        assert reply.endswith(b"hello")
        assert everything(idle) == b""
    assert served.told == ["draining"]


def _patient(served: Served) -> Any:
    return attrs.evolve(served.bounds.config, drain_timeout=5)


def test_the_end_cuts_what_goes_on_for_too_long(served: Served) -> None:
    with served.connect(_GET.replace(b"/hello", b"/stream")) as client:
        assert answer(client).startswith(b"HTTP/1.1 200 ")
        served.stop()
        assert b"hello" not in everything(client)
    assert served.told == ["draining", "last words"]


def test_a_second_signal_ends_at_once(served: Served) -> None:
    served.bounds.config = _patient(served)
    with served.connect(_GET.replace(b"/hello", b"/stream")) as client:
        assert answer(client)
        began = time.monotonic()
        served.stop()
        served.stop()
        everything(client)
        assert time.monotonic() - began < 4
