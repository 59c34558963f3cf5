"""How the contract of observers is kept: for ``mlo plugins conformance`` and for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from mlo_sdk.testing import ObserverContract

from .plugin import mlo_observers

__all__ = ["TestOtel"]


class _Receiver(ThreadingHTTPServer):
    """Takes everything and keeps it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        pass


class TestOtel(ObserverContract):
    """Everything switched on, to a receiver on a loopback socket."""

    (spec,) = mlo_observers()

    @pytest.fixture
    def receiver(self) -> Iterator[_Receiver]:
        """A receiver of the test's own."""
        with _Receiver() as receiver:
            thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield receiver
            receiver.shutdown()
            thread.join()

    @pytest.fixture
    def table(self, receiver: _Receiver) -> Mapping[str, Any]:
        """All signals, content included."""
        endpoint = f"http://127.0.0.1:{receiver.server_port}"
        return {"endpoint": endpoint, "events": True, "content": True}

    @pytest.fixture
    def emitted(self, receiver: _Receiver) -> Callable[[], str]:
        """All that has arrived; texts stand in it as they are."""
        return lambda: b"".join(receiver.bodies).decode("utf-8", "replace")
