"""CPU of the Ollama provider beside the official Python client, against the emulator in a process of its own.

Ratios of one run count, not absolute figures. Targets: a call at most 0.6 of the client's CPU, a stream at least twice
its events a second, time linear in line length. The emulator makes events more slowly than any client reads them, so a
recording of its answer is replayed as fast as the socket takes it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import ollama
from _measure import cpu_of_each, print_table

from mlo.api import CallContext
from mlo.events import TextDelta
from mlo.requests import ChatRequest
from mlo_ollama.config import OllamaConfig
from mlo_ollama.provider import OllamaProvider, open_provider
from mlo_sdk.testing import LoneEnvironment

CALLS = 60
EVENTS = 3000
SERVER = """
import sys, time
from mlo_emulators.ollama import Model, Options, create_app
from mlo_emulators.server import running
model = Model(name="tiny", context_length=10**9)
options = Options(models=(model,), answer="x" * int(sys.argv[1]), chunk_chars=int(sys.argv[2]), num_ctx=10**9)
with running(create_app(options)) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
REPLAY = """
import pathlib, re, socket, sys, threading
answer = pathlib.Path(sys.argv[1]).read_bytes()
def serve(client):
    text = b""
    while received := client.recv(65536):
        text += received
        head, mark, body = text.partition(b"\\r\\n\\r\\n")
        if mark and len(body) >= int(re.search(rb"(?i)content-length: *(\\d+)", head)[1]):
            text = b""
            client.sendall(answer)
listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
def accept():
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
"""
CONTEXT = CallContext(call_id="bench", attempt=1, target="bench", route="bench")
REQUEST = ChatRequest.of("Привет")
MESSAGES = [{"role": "user", "content": "Привет"}]


@contextmanager
def server(script: str, *arguments: str) -> Iterator[str]:
    """The URL of a server in a process of its own."""
    command = [sys.executable, "-c", script, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


@contextmanager
def emulator(answer_chars: int, chunk_chars: int) -> Iterator[str]:
    """An emulator whose answers have this many characters, in chunks of that many."""
    with server(SERVER, str(answer_chars), str(chunk_chars)) as url:
        yield url


@contextmanager
def replayed(answer_chars: int, chunk_chars: int) -> Iterator[str]:
    """A server that repeats the bytes of such an emulator's stream, all at once."""
    with emulator(answer_chars, chunk_chars) as url, tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "answer"
        recording.write_bytes(recorded(url))
        with server(REPLAY, str(recording)) as fast:
            yield fast


def recorded(url: str) -> bytes:
    """The raw bytes of a streamed answer, head and framing included."""
    place = urlsplit(url)
    body = json.dumps({"model": "tiny", "messages": MESSAGES}).encode()
    head = f"POST /api/chat HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-length: {len(body)}\r\n\r\n"
    received = bytearray()
    with socket.create_connection((place.hostname or "", place.port or 0)) as client:
        client.sendall(head.encode() + body)
        while not received.endswith(b"\r\n0\r\n\r\n"):
            received += client.recv(65536)
    return bytes(received)


@asynccontextmanager
async def provider_at(url: str) -> AsyncIterator[OllamaProvider]:
    """Our provider, without a kernel around it."""
    config = OllamaConfig(base_url=url, model="tiny", num_ctx=None, overflow="ignore")
    async with open_provider(config, LoneEnvironment()) as provider:
        yield provider


async def calls(url: str) -> dict[str, float]:
    """CPU seconds of a short unstreamed call."""
    async with provider_at(url) as provider, ollama.AsyncClient(url) as theirs:
        with ollama.Client(url) as blocking:

            async def our_calls() -> int:
                for _ in range(CALLS):
                    await provider.generate(REQUEST, CONTEXT)
                return CALLS

            async def their_calls() -> int:
                for _ in range(CALLS):
                    await theirs.chat("tiny", MESSAGES)
                return CALLS

            async def their_blocking_calls() -> int:
                for _ in range(CALLS):
                    blocking.chat("tiny", MESSAGES)
                return CALLS

            return await cpu_of_each(
                {
                    "mlo-ollama": our_calls,
                    "ollama.AsyncClient": their_calls,
                    "ollama.Client (blocking)": their_blocking_calls,
                }
            )


async def streams(url: str) -> dict[str, float]:
    """CPU seconds of one event of a long stream."""
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(provider_at(url))
        theirs = await stack.enter_async_context(ollama.AsyncClient(url))
        blocking = stack.enter_context(ollama.Client(url))

        async def ours() -> int:
            count = 0
            async for event in provider.generate_stream(REQUEST, CONTEXT):
                count += type(event) is TextDelta
            return count

        async def their_events() -> int:
            return len([part async for part in await theirs.chat("tiny", MESSAGES, stream=True) if not part.done])

        async def their_blocking_events() -> int:
            return len([part for part in blocking.chat("tiny", MESSAGES, stream=True) if not part.done])

        return await cpu_of_each(
            {
                "mlo-ollama": ours,
                "ollama.AsyncClient": their_events,
                "ollama.Client (blocking)": their_blocking_events,
            },
            rounds=5,
        )


async def long_lines(line_bytes: int, count: int) -> float:
    """CPU seconds for a MiB of lines of this length."""
    with replayed(line_bytes * count, line_bytes) as url:
        async with provider_at(url) as provider:

            async def read() -> int:
                async for _ in provider.generate_stream(REQUEST, CONTEXT):
                    pass
                return 1

            spent = await cpu_of_each({"ours": read}, rounds=3)
    return spent["ours"] / (line_bytes * count / 2**20)


async def main() -> None:
    """Measure and print."""
    with emulator(20, 0) as url:
        per_call = await calls(url)
    with replayed(EVENTS, 1) as url:
        per_event = await streams(url)
    theirs = "ollama.AsyncClient"
    rows = [[name, f"{cost * 1e6:.0f}", f"{cost / per_call[theirs]:.2f}"] for name, cost in per_call.items()]
    print_table("One unstreamed call", ["client", "CPU µs", "of AsyncClient's"], rows)
    rows = [[name, f"{1 / cost:.0f}", f"{per_event[theirs] / cost:.2f}"] for name, cost in per_event.items()]
    print_table(f"Streams of {EVENTS} events", ["client", "events / CPU s", "× AsyncClient's"], rows)
    short, long = await long_lines(64 * 1024, 64), await long_lines(1024 * 1024, 4)
    rows = [["64 KiB", f"{short * 1e3:.2f}", "1.00"], ["1 MiB", f"{long * 1e3:.2f}", f"{long / short:.2f}"]]
    print_table("Long lines", ["line", "CPU ms / MiB", "of 64 KiB's"], rows)


if __name__ == "__main__":
    anyio.run(main)
