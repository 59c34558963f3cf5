"""CPU of the YandexGPT provider beside foreign clients, against the emulator in a process of its own.

Ratios of one run count, not absolute figures. Target: a call and a stream frame at most 0.6 of the CPU of
`any-llm-client` (the other native REST client). The vendor's SDK joins in where `yandex-ai-studio-sdk` is installed:
its native side is gRPC, so it is measured by its OpenAI-compatible side, beside ours.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import any_llm_client
import anyio
from _measure import cpu_of_each, print_table

from mlo.api import CallContext
from mlo.events import TextDelta
from mlo.requests import ChatRequest
from mlo_emulators.yandexgpt import Options
from mlo_sdk.auth.static import StaticAuth
from mlo_sdk.testing import LoneEnvironment
from mlo_yandexgpt.config import YandexConfig
from mlo_yandexgpt.opening import open_yandexgpt
from mlo_yandexgpt.provider import YandexProvider

CALLS = 60
FOLDER, [KEY] = Options().folder_id, Options().api_keys
SERVER = """
import sys
from mlo_emulators.server import running
from mlo_emulators.yandexgpt import Options, create_app
chars, step = int(sys.argv[1]), int(sys.argv[2])
with running(create_app(Options(answer="слово " * (chars // 6), frame_chars=step))) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
CONTEXT = CallContext(call_id="bench", attempt=1, target="bench", route="bench")
REQUEST = ChatRequest.of("Привет")
THEIRS = "any-llm-client"
Subject = Callable[[], Awaitable[int]]


@contextmanager
def emulator(answer_chars: int, frame_chars: int) -> Iterator[str]:
    """The URL of an emulator whose answers have so many characters, in frames that add so many."""
    command = [sys.executable, "-c", SERVER, str(answer_chars), str(frame_chars)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the emulator has no pipes")
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


@asynccontextmanager
async def provider_at(url: str, **options: Any) -> AsyncIterator[YandexProvider]:
    """Our provider, without a kernel around it."""
    auth = LoneEnvironment(scheme=StaticAuth({"authorization": f"Api-Key {KEY}"}))
    async with open_yandexgpt(YandexConfig(folder_id=FOLDER, base_url=url, **options), auth) as provider:
        yield provider


def foreign(url: str) -> any_llm_client.YandexGPTClient:
    """The other native client."""
    config = any_llm_client.YandexGPTConfig(
        url=f"{url}/foundationModels/v1/completion",
        auth_header=f"Api-Key {KEY}",
        folder_id=FOLDER,
        model_name="yandexgpt",
    )
    return any_llm_client.YandexGPTClient(config)


def vendor_model(url: str) -> Any:
    """A model of the vendor's SDK on its OpenAI-compatible side, or nothing."""
    if importlib.util.find_spec("yandex_ai_studio_sdk") is None:
        return None
    from yandex_ai_studio_sdk import AsyncAIStudio  # noqa: PLC0415
    from yandex_ai_studio_sdk.auth import APIKeyAuth  # noqa: PLC0415

    services = {"http_completions": f"{url}/v1"}
    sdk = AsyncAIStudio(folder_id=FOLDER, auth=APIKeyAuth(KEY), endpoint=None, service_map=services)
    return sdk.chat.completions("yandexgpt")


def calls_of(provider: YandexProvider) -> Subject:
    """Our calls."""

    async def calls() -> int:
        for _ in range(CALLS):
            await provider.generate(REQUEST, CONTEXT)
        return CALLS

    return calls


def frames_of(provider: YandexProvider, streams: int) -> Subject:
    """Our streams, counted in pieces of text."""

    async def frames() -> int:
        count = 0
        for _ in range(streams):
            async for event in provider.generate_stream(REQUEST, CONTEXT):
                count += type(event) is TextDelta
        return count

    return frames


async def calls(url: str) -> dict[str, float]:
    """CPU seconds of a short unstreamed call."""
    async with provider_at(url) as native, provider_at(url, api="openai") as compat, foreign(url) as theirs:

        async def their_calls() -> int:
            for _ in range(CALLS):
                await theirs.request_llm_message("Привет")
            return CALLS

        subjects: dict[str, Subject] = {
            "mlo-yandexgpt": calls_of(native),
            THEIRS: their_calls,
            "mlo-yandexgpt, OpenAI side": calls_of(compat),
        }
        if (model := vendor_model(url)) is not None:

            async def vendor_calls() -> int:
                for _ in range(CALLS // 10):
                    await model.run("Привет")
                return CALLS // 10

            subjects["yandex-ai-studio-sdk, OpenAI side"] = vendor_calls
        return await cpu_of_each(subjects)


async def frames(url: str, streams: int) -> dict[str, float]:
    """CPU seconds of one frame of a stream, its share of the call included."""
    async with provider_at(url) as native, foreign(url) as theirs:

        async def their_frames() -> int:
            count = 0
            for _ in range(streams):
                async with theirs.stream_llm_message_chunks("Привет") as chunks:
                    count += len([chunk async for chunk in chunks])
            return count

        return await cpu_of_each({"mlo-yandexgpt": frames_of(native, streams), THEIRS: their_frames}, rounds=5)


def rows_of(costs: dict[str, float]) -> list[list[str]]:
    """Costs in microseconds, and as a share of the other client's."""
    return [[name, f"{cost * 1e6:.0f}", f"{cost / costs[THEIRS]:.2f}"] for name, cost in costs.items()]


async def main() -> None:
    """Measure and print."""
    with emulator(20, 60) as url:
        per_call = await calls(url)
    with emulator(1440, 60) as url:
        usual = await frames(url, 20)
    with emulator(6000, 20) as url:
        long = await frames(url, 3)
    head = ["client", "CPU µs", f"of {THEIRS}'s"]
    print_table("One unstreamed call", head, rows_of(per_call))
    print_table("One frame of a usual stream (24 frames)", head, rows_of(usual))
    print_table("One frame of a long stream (300 frames, 6000 characters)", head, rows_of(long))


if __name__ == "__main__":
    anyio.run(main)
