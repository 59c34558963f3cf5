"""Ten thousand streams of the mock at the same time: memory and time. Goal: below 1 GiB."""

from __future__ import annotations

import resource
import time

import anyio
from _measure import print_table

from mlo import Router
from mlo.events import TextDelta

STREAMS = 10_000


async def main() -> None:
    """Open all, let each wait after its first text, then read all to the end."""
    everybody_has_begun = anyio.Event()
    open_now = 0
    texts: set[str] = set()

    async def read(router: Router) -> None:
        nonlocal open_now
        async with router.route_stream("Привет") as stream:
            async for event in stream:
                if isinstance(event, TextDelta) and not everybody_has_begun.is_set():
                    open_now += 1
                    if open_now == STREAMS:
                        everybody_has_begun.set()
                    await everybody_has_begun.wait()
            texts.add(stream.response().text)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    async with Router() as router, anyio.create_task_group() as tasks:
        router.add_provider("mock")
        for _ in range(STREAMS):
            tasks.start_soon(read, router)
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if len(texts) != 1:
        raise SystemExit(f"the streams did not all read the same answer: {sorted(texts)[:3]}")
    rows = [
        ("open at the same time", f"{open_now:,}"),
        ("peak memory, MiB", f"{peak / 1024:.0f}"),
        ("of it per stream, KiB", f"{(peak - before) / STREAMS:.1f}"),
        ("from first to last, s", f"{took:.1f}"),
    ]
    print_table("streams of the mock", ("", ""), rows)


if __name__ == "__main__":
    anyio.run(main)
