"""GigaChat: this plugin beside the vendor's client, over the emulator in a process of its own.

Every figure is a ratio of two runs that take turns, so a busy machine disturbs both alike.
Run: ``./dev bench gigachat_sdk``.
"""

from __future__ import annotations

import base64
import re
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import anyio
import httpx
from gigachat import GigaChat

from mlo.events import TextDelta
from mlo.requests import ChatRequest
from mlo.secret import Secret
from mlo_gigachat.auth import open_oauth
from mlo_gigachat.config import GigaChatConfig, OAuthConfig
from mlo_gigachat.provider import open_gigachat
from mlo_sdk.testing.surroundings import LoneEnvironment, context

KEY = base64.b64encode(b"client:secret").decode()
ROUNDS, CALLS, STREAMS, WORDS, TOGETHER = 7, 60, 4, 500, 100
Work = Callable[[], Awaitable[int]]


@contextmanager
def emulator(*faults: str) -> Iterator[str]:
    """The URL of an emulator that runs meanwhile."""
    code = "import sys; from mlo_emulators.commands import emulate; sys.exit(emulate(sys.argv[1:]))"
    options = [part for fault in ("concurrency=0", *faults) for part in ("--fault", fault)]
    with subprocess.Popen(
        [sys.executable, "-c", code, "gigachat", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()


@asynccontextmanager
async def plugin(url: str) -> AsyncIterator[tuple[Work, Work]]:
    """One call, and one stream, by the plugin; each returns how many pieces of text came."""
    oauth = OAuthConfig(key=Secret(KEY), auth_url=f"{url}/api/v2/oauth")
    async with (
        open_oauth(oauth, LoneEnvironment()) as scheme,
        open_gigachat(GigaChatConfig(base_url=f"{url}/v1"), LoneEnvironment(scheme=scheme)) as provider,
    ):
        request, surroundings = ChatRequest.of("привет"), context()

        async def call() -> int:
            return bool((await provider.generate(request, surroundings)).text)

        async def stream() -> int:
            events = provider.generate_stream(request, surroundings)
            return sum([isinstance(event, TextDelta) async for event in events])

        yield call, stream


@asynccontextmanager
async def vendor(url: str) -> AsyncIterator[tuple[Work, Work]]:
    """The same by the vendor's client."""
    options = {"base_url": f"{url}/v1", "auth_url": f"{url}/api/v2/oauth", "credentials": KEY, "model": "GigaChat-2"}
    async with GigaChat(verify_ssl_certs=False, **options) as client:  # type: ignore[arg-type]

        async def call() -> int:
            return bool((await client.achat("привет")).choices[0].message.content)

        async def stream() -> int:
            return sum([bool(chunk.choices[0].delta.content) async for chunk in client.astream("привет")])

        yield call, stream


@asynccontextmanager
async def bare(url: str) -> AsyncIterator[Work]:
    """One call by pooled httpx, with a token that is known already."""
    async with httpx.AsyncClient(
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=TOGETHER)
    ) as client:
        asked = {"Authorization": f"Basic {KEY}", "RqUID": "00000000-0000-4000-8000-000000000000"}
        answer = await client.post(f"{url}/api/v2/oauth", data={"scope": "GIGACHAT_API_PERS"}, headers=asked)
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        body = {"model": "GigaChat-2", "messages": [{"role": "user", "content": "привет"}]}

        async def call() -> int:
            found = await client.post(f"{url}/v1/chat/completions", json=body, headers=headers)
            return bool(found.json()["choices"][0]["message"]["content"])

        yield call


async def in_turn(work: Work, times: int) -> int:
    """So many times, one after the other."""
    return sum([await work() for _ in range(times)])


async def at_once(work: Work, times: int) -> int:
    """So many times, all together."""
    done: list[int] = []

    async def run() -> None:
        done.append(await work())

    async with anyio.create_task_group() as tasks:
        for _ in range(times):
            tasks.start_soon(run)
    return sum(done)


async def compare(
    ours: Callable[[], Awaitable[int]], theirs: Callable[[], Awaitable[int]], clock: Callable[[], float]
) -> tuple[float, float]:
    """Median seconds of both, measured in turns after one round to warm up."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 1):
        for work, spent in zip((ours, theirs), times, strict=True):
            start = clock()
            assert await work() > 0
            spent.append(clock() - start)
    ours_median, theirs_median = (statistics.median(spent[1:]) for spent in times)
    return ours_median, theirs_median


def show(what: str, ours: float, theirs: float, unit: str, goal: str) -> None:
    """One line of the table."""
    print(f"{what:<34} {ours:>10.3f} {theirs:>10.3f} {unit:<8} {ours / theirs:>6.2f}x   {goal}")


async def main() -> None:
    """Measure, and print the table."""
    print(f"{'':<34} {'ours':>10} {'theirs':>10} {'unit':<8} {'ratio':>7}   goal")
    with emulator() as url:
        async with AsyncExitStack() as stack:
            our_call, _ = await stack.enter_async_context(plugin(url))
            their_call, _ = await stack.enter_async_context(vendor(url))
            raw_call = await stack.enter_async_context(bare(url))
            pair = await compare(
                lambda: in_turn(our_call, CALLS), lambda: in_turn(their_call, CALLS), time.process_time
            )
            show("CPU per call, vendor's client", *(1000 * t / CALLS for t in pair), "ms", "<= 0.6")
            pair = await compare(lambda: in_turn(our_call, CALLS), lambda: in_turn(raw_call, CALLS), time.process_time)
            show("CPU per call, bare httpx", *(1000 * t / CALLS for t in pair), "ms", "")
            pair = await compare(
                lambda: at_once(our_call, TOGETHER), lambda: at_once(raw_call, TOGETHER), time.perf_counter
            )
            show(f"{TOGETHER} calls at once, bare httpx", *(1000 * t for t in pair), "ms", "<= 2")
    with emulator(f"answer-words={WORDS}", "words-per-chunk=1", "split=65536") as url:
        async with AsyncExitStack() as stack:
            _, our_stream = await stack.enter_async_context(plugin(url))
            _, their_stream = await stack.enter_async_context(vendor(url))
            for clock, name in ((time.process_time, "CPU s"), (time.perf_counter, "s")):
                pair = await compare(
                    lambda: in_turn(our_stream, STREAMS), lambda: in_turn(their_stream, STREAMS), clock
                )
                rates = (STREAMS * WORDS / t / 1000 for t in pair)
                show(f"stream events per {name}, thousands", *rates, "k/s", ">= 2")


anyio.run(main)
