"""The way of items from one event loop to a reader elsewhere."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlo_langchain.pipe import Pipe


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[asyncio.AbstractEventLoop]:
    with running_loop() as loop:
        yield loop


def write(pipe: Pipe[int], loop: asyncio.AbstractEventLoop, pauses: list[bool], error: Any = None) -> Future[None]:
    """Put so many numbers, breathing where told."""

    async def writing() -> None:
        for number, pause in enumerate(pauses):
            await pipe.put(number)
            if pause:
                await asyncio.sleep(0)
        pipe.end(error)

    return asyncio.run_coroutine_threadsafe(writing(), loop)


@given(pauses=st.lists(st.booleans(), max_size=60), limit=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_a_thread_reads_every_item_in_order(
    elsewhere: asyncio.AbstractEventLoop, pauses: list[bool], limit: int
) -> None:
    pipe = Pipe[int](elsewhere, limit)
    write(pipe, elsewhere, pauses)
    assert list(pipe.read()) == list(range(len(pauses)))


@given(pauses=st.lists(st.booleans(), max_size=60), limit=st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_another_loop_reads_every_item_in_order(
    elsewhere: asyncio.AbstractEventLoop, pauses: list[bool], limit: int
) -> None:
    async def reading() -> list[int]:
        pipe = Pipe[int](elsewhere, limit)
        write(pipe, elsewhere, pauses)
        return [item async for item in pipe.read_async()]

    assert asyncio.run(reading()) == list(range(len(pauses)))


def test_the_error_comes_after_the_items(elsewhere: asyncio.AbstractEventLoop) -> None:
    pipe = Pipe[int](elsewhere)
    write(pipe, elsewhere, [False] * 3, LookupError("late"))
    read = []
    with pytest.raises(LookupError, match="late"):
        for item in pipe.read():
            read += [item]
    assert read == [0, 1, 2]


def test_items_that_are_there_come_as_one_batch(elsewhere: asyncio.AbstractEventLoop) -> None:
    pipe = Pipe[int](elsewhere)
    write(pipe, elsewhere, [False] * 5).result()
    batch = pipe._take(None)
    assert batch is not None
    assert batch.items == [0, 1, 2, 3, 4]


def test_a_writer_waits_for_room(elsewhere: asyncio.AbstractEventLoop) -> None:
    pipe = Pipe[int](elsewhere, 2)
    written = write(pipe, elsewhere, [True] * 4)
    asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), elsewhere).result()
    assert not written.done()
    assert list(pipe.read()) == [0, 1, 2, 3]
    written.result()


def test_a_writer_learns_that_the_reader_is_gone(elsewhere: asyncio.AbstractEventLoop) -> None:
    pipe = Pipe[int](elsewhere, 2)

    async def leave() -> None:
        reading = asyncio.ensure_future(anext(pipe.read_async()))
        await asyncio.sleep(0)
        assert not reading.done()  # it waits, and nobody tells the pipe that its loop ends

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    waiting = asyncio.all_tasks(loop)
    loop.close()
    with pytest.raises(anyio.ClosedResourceError):
        write(pipe, elsewhere, [True] * 9).result()
    assert len(waiting) == 1
    for task in waiting:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # left pending on purpose


def test_a_reader_that_comes_while_the_end_is_written_misses_nothing() -> None:
    loop = asyncio.new_event_loop()
    pipe = Pipe[int](loop)
    batches = []

    class Lock:
        def __enter__(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            pipe._lock = threading.Lock()
            batches.append(pipe._take(None))

    async def write_all() -> None:
        await pipe.put(1)
        pipe._lock = Lock()  # type: ignore[assignment]  # lets the reader in as soon as the writer lets go
        pipe.end()

    loop.run_until_complete(write_all())
    loop.close()
    assert [(batch.items, batch.ended) for batch in batches if batch] == [([1], True)]
