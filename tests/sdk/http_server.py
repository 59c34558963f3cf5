"""A scripted HTTP server on a real socket, in a thread of its own: it also says what no good server says."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from attrs import define, field, frozen

CLOSE = object()
"""In a script: close the connection."""
HANG = object()
"""In a script: say nothing more, until the client goes away."""


@frozen(kw_only=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Script = Callable[[Received], Iterable[object]]


@define
class Server:
    """What a script served."""

    url: str
    requests: list[Received] = field(factory=list)
    connections: int = 0
    closed_by_client: threading.Event = field(factory=threading.Event)


def head(status: int = 200, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode("latin-1")


def whole(body: bytes, *lines: str, status: int = 200, kind: str = "application/json") -> bytes:
    return head(status, f"content-type: {kind}", f"content-length: {len(body)}", *lines) + body


def whole_json(data: object, *lines: str, status: int = 200) -> bytes:
    return whole(json.dumps(data, ensure_ascii=False).encode(), *lines, status=status)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def streamed(*pieces: bytes, kind: str = "text/event-stream", end: bool = True) -> Iterator[bytes]:
    """A chunked body, piece by piece."""
    yield head(200, f"content-type: {kind}", "transfer-encoding: chunked")
    yield from (chunk(piece) for piece in pieces)
    if end:
        yield b"0\r\n\r\n"


def frame(data: object) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


@contextmanager
def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve until the block is left. ``script`` gives the pieces of each answer."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}")
    open_sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.connections += 1
                open_sockets.append(connection)
                thread = threading.Thread(target=_connection, args=(connection, script, server, tls), daemon=True)
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for connection in open_sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for connection in open_sockets:
            connection.close()


def _connection(raw: socket.socket, script: Script, server: Server, tls: ssl.SSLContext | None) -> None:
    try:
        connection = tls.wrap_socket(raw, server_side=True) if tls else raw
    except OSError:  # the client refused the handshake, or was refused
        raw.close()
        return
    with connection, suppress(OSError), connection.makefile("rb") as lines:
        while request := _request(lines):
            server.requests.append(request)
            for piece in script(request):
                if piece is CLOSE:
                    return
                if piece is HANG:
                    _wait_for_end(connection, server)
                    return
                assert isinstance(piece, bytes)
                connection.sendall(piece)
    server.closed_by_client.set()


def _wait_for_end(connection: socket.socket, server: Server) -> None:
    with suppress(OSError):
        while connection.recv(4096):
            pass
    server.closed_by_client.set()


def _request(lines: Any) -> Received | None:
    first = lines.readline()
    if not first:
        return None
    method, path, _ = first.decode().split(" ", 2)
    headers: dict[str, str] = {}
    while (line := lines.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = lines.read(int(headers.get("content-length", "0")))
    return Received(method=method, path=path, headers=headers, body=body)
