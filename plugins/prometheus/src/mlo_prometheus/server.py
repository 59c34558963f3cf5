"""The HTTP endpoint: a thread that answers ``GET /metrics`` and nothing else."""

from __future__ import annotations

import errno
import gzip
import os
import socketserver
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socket import AF_INET6, SOCK_STREAM, AddressFamily, getaddrinfo
from threading import BoundedSemaphore, Thread
from typing import Any, TypeAlias

__all__ = ["MetricsServer", "why_not"]

Expose: TypeAlias = Callable[[str], tuple[str, bytes]]

_AT_ONCE = 8  # connections; a scrape is one
_PATIENCE = 5.0  # seconds that a client may keep us waiting
_POLL = 0.05  # seconds until closing is noticed


class MetricsServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens from the start; ``expose`` makes the page for an ``Accept`` header, in a thread of its own.

    Raises:
        OSError: when the address cannot be had.
    """

    # on Windows the option would let two servers share a port
    allow_reuse_address = os.name == "posix"
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16

    def __init__(self, host: str, port: int, expose: Expose) -> None:
        self.expose = expose
        self._free = BoundedSemaphore(_AT_ONCE)
        family, _, _, _, address = getaddrinfo(host, port, type=SOCK_STREAM)[0]
        self.address_family = AddressFamily(family)
        super().__init__((str(address[0]), port), _Handler)
        self._thread = Thread(target=self.serve_forever, args=(_POLL,), name="mlo-prometheus", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where the metrics are."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if self.address_family == AF_INET6 else str(host)
        return f"http://{name}:{port}/metrics"

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve it in a thread, unless too many clients hold on to theirs."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve it."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up, or was too slow: its own business."""


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    server_version = "mlo"
    sys_version = ""
    timeout = _PATIENCE

    def do_GET(self) -> None:  # the names are http.server's
        """The page."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Its headers."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND, "Only /metrics is here")
            return
        content_type, page = self.server.expose(self.headers.get("Accept", ""))
        zipped = "gzip" in self.headers.get("Accept-Encoding", "")
        if zipped:
            page = gzip.compress(page, compresslevel=1)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Vary", "Accept, Accept-Encoding")
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if body:
            self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Nobody wants a line per scrape."""


def why_not(error: OSError, host: str, port: int) -> tuple[str, str, str]:
    """Which option is wrong when ``error`` came of listening, why, and what to do about it."""
    match error.errno:
        case errno.EADDRINUSE:
            hint = "choose another port, or 0 for any; after a change of other options too, until the router is closed"
            return "port", f"port {port} on {host} is taken", hint
        case errno.EACCES:
            return "port", f"port {port} is not allowed to this user", "choose one from 1024 on"
        case _:
            return "host", f"cannot listen on {host}: {error.strerror or error}", "choose an address of this machine"
