"""One token over many threads, each with an event loop of its own, asyncio and trio mixed."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest

from mlo.api import Credentials
from mlo.errors import AuthFailed
from mlo_sdk import TokenCell, TokenSource
from mlo_sdk.auth.wakeup import Bell, _scheduler

_BACKENDS = ("asyncio", "trio") * 8


def in_threads(main: Callable[[int], Awaitable[None]]) -> None:
    """Run ``main(index)`` in 16 threads and their loops; raise what one of them raises."""

    def run(index: int) -> None:
        anyio.run(main, index, backend=_BACKENDS[index])

    with ThreadPoolExecutor(len(_BACKENDS)) as pool:
        for future in [pool.submit(run, index) for index in range(len(_BACKENDS))]:
            future.result(timeout=15)


class Issuer:
    """Waits until all threads have asked, so that they certainly meet."""

    def __init__(self, expected: int) -> None:
        self.calls = 0
        self.error: AuthFailed | None = None
        self.asked = threading.Semaphore(0)
        self.expected = expected

    async def __call__(self) -> Credentials:
        self.calls += 1
        await anyio.to_thread.run_sync(self._all_have_asked)
        if self.error is not None:
            raise self.error
        return Credentials(headers={"n": str(self.calls)})

    def _all_have_asked(self) -> None:
        for _ in range(self.expected):
            assert self.asked.acquire(timeout=10)


async def seven_at_once(issuer: Issuer, ask: Callable[[], Awaitable[object]]) -> None:
    async def one() -> None:
        issuer.asked.release()
        await ask()

    async with anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(one)


def test_a_hundred_cold_calls_from_sixteen_threads_are_one_request() -> None:
    cell, issuer = TokenCell(), Issuer(expected=7 * 16)
    seen: list[Credentials] = []

    async def main(_index: int) -> None:
        source = TokenSource(issuer, cell=cell)

        async def ask() -> None:
            seen.append(await source.credentials())

        await seven_at_once(issuer, ask)

    in_threads(main)
    assert (issuer.calls, len(seen), len({id(one) for one in seen})) == (1, 112, 1)


def test_a_rejection_seen_by_all_threads_is_one_renewal() -> None:
    cell, issuer = TokenCell(), Issuer(expected=0)
    seen: list[int] = []

    async def main(_index: int) -> None:
        source = TokenSource(issuer, cell=cell)
        stale = (await source.credentials()).generation
        if stale == 1:
            seen.append((await source.credentials(stale)).generation)

    in_threads(main)
    assert issuer.calls == 2
    assert set(seen) == {2}


def test_one_failure_reaches_all_threads() -> None:
    cell, issuer = TokenCell(), Issuer(expected=7 * 16)
    issuer.error = AuthFailed("no")
    failures: list[str] = []

    async def main(_index: int) -> None:
        source = TokenSource(issuer, cell=cell)

        async def ask() -> None:
            try:
                await source.credentials()
            except AuthFailed as error:
                failures.append(str(error))

        await seven_at_once(issuer, ask)

    in_threads(main)
    assert (issuer.calls, failures) == (1, ["no"] * 112)


def test_a_leader_cancelled_in_one_thread_hands_over_to_another() -> None:
    cell = TokenCell()
    leading, done = threading.Event(), []

    async def never() -> Credentials:
        leading.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def quick() -> Credentials:
        return Credentials(headers={"by": "heir"})

    async def main(index: int) -> None:
        if index == 0:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(TokenSource(never, cell=cell).credentials)
                    while len(cell._waiters) < 15:
                        await anyio.sleep(0.001)
                    scope.cancel()
        else:
            await anyio.to_thread.run_sync(leading.wait)
            done.append((await TokenSource(quick, cell=cell).credentials()).headers["by"])

    in_threads(main)
    assert done == ["heir"] * 15


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_heir_whose_loop_has_ended_is_passed_over(backend: str) -> None:
    bells: list[Bell] = []

    async def make() -> None:
        bells.append(Bell())

    anyio.run(make, backend=backend)
    assert bells[0].ring() is False


def test_a_loop_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="neither an asyncio loop nor a trio token"):
        _scheduler(object())


@pytest.mark.anyio
async def test_ringing_wakes_the_one_who_waits() -> None:
    bell = Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bell.wait)
        await anyio.to_thread.run_sync(bell.ring)


def test_who_waits_for_a_loop_that_has_ended_fetches_instead() -> None:
    cell, issuer, tokens = TokenCell(), Issuer(expected=0), []
    left = abandoned_fetch(cell)

    async def main(_index: int) -> None:
        tokens.append(await cell.get(issuer))

    in_threads(main)
    assert (issuer.calls, {token.generation for token in tokens}) == (1, {1})
    left.clear()  # what is collected now must not disturb those who come later
    gc.collect()
    in_threads(main)
    assert issuer.calls == 1


def abandoned_fetch(cell: TokenCell) -> list[object]:
    """A fetch in a loop that ends in the middle of it, without a word to its tasks."""

    async def never() -> Credentials:
        loop.stop()
        await anyio.sleep_forever()
        raise AssertionError

    loop = asyncio.new_event_loop()
    task = loop.create_task(cell.get(never))
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.run_forever()
    loop.close()
    return [task]
