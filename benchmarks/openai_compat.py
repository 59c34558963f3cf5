"""CPU of the OpenAI-compatible provider on each transport, beside raw pooled httpx and the official `openai` client.

Ratios of one run count, not absolute figures. Target: a call costs at most 0.3 ms of CPU more than raw pooled httpx
(`httpx.AsyncClient`, JSON in and out), and 60 calls in a row use one connection. The server answers at once from a
process of its own; a stream is written in one go, so that only the client's speed is seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager

import anyio
import httpx
import openai
from _measure import cpu_of_each, print_table

from mlo.api import CallContext, Credentials
from mlo.requests import ChatRequest
from mlo_sdk import HttpClient, HttpSettings, SseParser, TokenSource
from mlo_sdk.openai_compat import OpenAICompatProvider

CALLS = 200
EVENTS = 1000
SERVER = """
import asyncio, json, sys
events = int(sys.argv[1])
usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
message = {"role": "assistant", "content": "Привет, мир! " * 10}
common = {"id": "chatcmpl-1", "created": 1, "model": "m"}
choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
body = json.dumps({**common, "object": "chat.completion", "choices": choices, "usage": usage}).encode()
head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"
whole = head % len(body) + body
common["object"] = "chat.completion.chunk"
def frame(delta, reason=None):
    data = {**common, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    data = b"data: " + json.dumps(data).encode() + b"\\n\\n"
    return b"%x\\r\\n%s\\r\\n" % (len(data), data)
frames = [frame({"content": f"слово {number} "}) for number in range(events)]
done = b"e\\r\\ndata: [DONE]\\n\\n\\r\\n0\\r\\n\\r\\n"
head = b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n"
stream = head + b"".join(frames) + frame({}, "stop") + done
class Server(asyncio.Protocol):
    connections = 0
    def connection_made(self, transport):
        Server.connections += 1
        self.transport, self.text = transport, b""
    def data_received(self, data):
        self.text += data
        while (end := self.text.find(b"\\r\\n\\r\\n")) >= 0:
            headers = self.text[:end].lower()
            if headers.startswith(b"get /connections"):
                count = b"%d" % Server.connections
                head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"
                answer, length = head % len(count) + count, 0
            else:
                length = int(headers.split(b"content-length:")[1].split(b"\\r\\n")[0])
                if len(self.text) < end + 4 + length:
                    return
                answer = stream if b'"stream":true' in self.text[end:end + 4 + length].replace(b" ", b"") else whole
            self.text = self.text[end + 4 + length:]
            self.transport.write(answer)
async def main():
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
"""
CONTEXT = CallContext(call_id="bench", attempt=1, target="bench", route="bench")
REQUEST = ChatRequest.of("Привет")
MESSAGES = [{"role": "user", "content": "Привет"}]
PAYLOAD = {"model": "m", "messages": MESSAGES}
RAW = "raw pooled httpx"

Subject = Callable[[], Awaitable[int]]
Call = Callable[[], Awaitable[object]]


@contextmanager
def server() -> Iterator[str]:
    """The URL of the server, in a process of its own."""
    command = [sys.executable, "-c", SERVER, str(EVENTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the server has no pipes")
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.stdin.close()


def many(call: Call, together: int) -> Subject:
    """``CALLS`` calls, so many at a time."""

    async def worker() -> None:
        for _ in range(CALLS // together):
            await call()

    async def subject() -> int:
        async with anyio.create_task_group() as tasks:
            for _ in range(together):
                tasks.start_soon(worker)
        return CALLS // together * together

    return subject


def whole_and_stream(provider: OpenAICompatProvider) -> tuple[Call, Subject]:
    """A call and a stream of a provider."""

    async def call() -> None:
        await provider.generate(REQUEST, CONTEXT)

    async def stream() -> int:
        async with aclosing(provider.generate_stream(REQUEST, CONTEXT)) as events:
            async for _ in events:
                pass
        return EVENTS

    return call, stream


def raw(client: httpx.AsyncClient, url: str) -> tuple[Call, Subject]:
    """What a plain program does with httpx; its stream reads lines and parses their JSON."""

    async def call() -> None:
        (await client.post(f"{url}/chat/completions", json=PAYLOAD)).json()

    async def stream() -> int:
        async with client.stream("POST", f"{url}/chat/completions", json={**PAYLOAD, "stream": True}) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    json.loads(line[6:])
        return EVENTS

    return call, stream


def official(client: openai.AsyncOpenAI) -> tuple[Call, Subject]:
    """The official client."""

    async def call() -> None:
        await client.chat.completions.create(model="m", messages=MESSAGES)  # type: ignore[arg-type]

    async def stream() -> int:
        async for _ in await client.chat.completions.create(model="m", messages=MESSAGES, stream=True):  # type: ignore[call-overload]
            pass
        return EVENTS

    return call, stream


async def subjects(stack: AsyncExitStack, url: str, backend: str) -> dict[str, tuple[Call, Subject]]:
    """All ways to ask, by name."""
    found = {RAW: raw(await stack.enter_async_context(httpx.AsyncClient()), url)}
    if backend == "asyncio":
        client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
        found["openai"] = official(await stack.enter_async_context(client))
    for transport in ("direct", "httpx", "aiohttp"):
        if backend == "trio" and transport == "aiohttp":
            continue
        settings = HttpSettings(transport=transport)  # type: ignore[arg-type]  # one of three
        client_ = await stack.enter_async_context(HttpClient(url, settings=settings))
        found[f"mlo, {transport}"] = whole_and_stream(OpenAICompatProvider(client_, model="m"))
    return found


async def compare(url: str, backend: str) -> None:
    """Print CPU per call, alone and 32 at a time, and CPU per event of a stream."""
    async with AsyncExitStack() as stack:
        found = await subjects(stack, url, backend)
        alone = await cpu_of_each({name: many(call, 1) for name, (call, _) in found.items()})
        crowd = await cpu_of_each({name: many(call, 32) for name, (call, _) in found.items()})
        events = await cpu_of_each({name: stream for name, (_, stream) in found.items()}, rounds=15)
    rows = [
        [
            name,
            f"{alone[name] * 1e6:.0f}",
            f"{alone[name] / alone[RAW]:.2f}",
            f"{crowd[name] * 1e6:.0f}",
            f"{crowd[name] / crowd[RAW]:.2f}",
            f"{events[name] * 1e6:.1f}",
            f"{events[name] / events[RAW]:.2f}",
        ]
        for name in found
    ]
    head = ["CPU", "us/call", "ratio", "us/call, 32 at once", "ratio", "us/event", "ratio"]
    print_table(f"OpenAI-compatible provider on {backend}", head, rows)
    more = (alone["mlo, direct"] - alone[RAW]) * 1e3
    print(f"  a call costs {more:+.3f} ms against raw pooled httpx (target: at most +0.3)")


async def connections(url: str) -> None:
    """Print how many connections 60 calls and 20 streams in a row use."""
    async with HttpClient(url) as client:
        before = (await client.request("GET", f"{url.removesuffix('/v1')}/connections")).data
        provider = OpenAICompatProvider(client, model="m")
        call, stream = whole_and_stream(provider)
        for _ in range(60):
            await call()
        for _ in range(20):
            await stream()
        after = (await client.request("GET", f"{url.removesuffix('/v1')}/connections")).data
    print(f"\n60 calls and 20 streams in a row: {after - before + 1} connection(s)")


async def without_sniffio(url: str) -> None:
    """Print what httpcore loses where sniffio, which asyncio programs need not have, is missing."""
    figures = {}
    for name, code in (("with", ""), ("without", "sys.meta_path.insert(0, Absent)")):
        script = f"""
import sys, time, asyncio, importlib.machinery
class Absent:  # searches the path in vain, as for a package that is not installed
    def find_spec(name, path, target=None):
        if name == "sniffio":
            importlib.machinery.PathFinder.find_spec("sniffio_absent", path)
            raise ModuleNotFoundError(name)
{code}
import httpx
async def main():
    async with httpx.AsyncClient() as client:
        for part in range(2):
            before = time.process_time()
            for _ in range({CALLS}):
                await client.post({url + "/chat/completions"!r}, json={PAYLOAD!r})
        print((time.process_time() - before) / {CALLS} * 1e6)
asyncio.run(main())
"""
        done = await anyio.run_process([sys.executable, "-c", script])
        figures[name] = float(done.stdout)
    ratio = figures["without"] / figures["with"]
    print(
        f"\nraw httpx with sniffio {figures['with']:.0f} us/call, without {figures['without']:.0f} ({ratio:.1f} times)"
    )


async def parts() -> None:
    """Print the speed of the parser and of a token at hand."""
    event = b'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"abc"},"finish_reason":null}]}\n\n'
    parser = SseParser()
    before = time.process_time()
    for _ in range(100_000):
        parser.feed(event)
    events = 100_000 / (time.process_time() - before)

    async def fetch() -> Credentials:
        return Credentials()

    source = TokenSource(fetch)
    await source.credentials()
    before = time.process_time()
    for _ in range(100_000):
        await source.credentials()
    hot = (time.process_time() - before) / 100_000
    print(f"\nSSE parser: {events:,.0f} events/s, one a feed; a token at hand: {hot * 1e6:.2f} us")


def main() -> None:
    """Everything, on both backends."""
    with server() as url:
        for backend in ("asyncio", "trio"):
            anyio.run(compare, url, backend, backend=backend)
        anyio.run(connections, url)
        anyio.run(without_sniffio, url)
    anyio.run(parts)


if __name__ == "__main__":
    main()
