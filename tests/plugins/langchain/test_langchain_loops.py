"""Threads, event loops, forks and the end of a program: no hang, no dead connection, no blocked loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlo import ConfigError, MloError, Router
from mlo.errors import ProviderError
from mlo_langchain import MultiLLMEmbeddings, MultiLLMOrchestrator
from mlo_langchain.pipe import LIMIT
from tests.kernel.scripted import Act, Scripted
from tests.plugins.langchain.places import Place, gigachat_place, router_over

MOCK = '[providers.mock]\nuse = "mock"\nanswer = "из файла"\n'


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    while not condition():  # the test's own timeout ends this
        time.sleep(0.002)


def scripted(*acts: Act) -> tuple[Scripted, Router]:
    provider = Scripted("s", list(acts) or [Act()])
    router = Router()
    router.add_provider("s", provider)
    return provider, router


@pytest.fixture
def giga() -> Iterator[Place]:
    with gigachat_place() as place:
        yield place


def logins(place: Place) -> int:
    return sum(request.path == "/api/v2/oauth" for request in place.journal.requests)


def chats(place: Place) -> int:
    return sum(request.path == "/v1/chat/completions" for request in place.journal.requests)


# many at once


def test_a_hundred_calls_at_once_log_in_once(giga: Place) -> None:
    model = MultiLLMOrchestrator(router=router_over(giga))

    async def all_at_once() -> list[str]:
        return [answer.text for answer in await asyncio.gather(*(model.ainvoke(f"вопрос {n}") for n in range(100)))]

    answers = asyncio.run(all_at_once())
    assert all(f"вопрос {n}»" in text for n, text in enumerate(answers))
    assert (chats(giga), logins(giga)) == (100, 1)


def test_batches_of_a_hundred_from_eight_threads_log_in_once(giga: Place) -> None:
    model = MultiLLMOrchestrator(router=router_over(giga))
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda n: model.batch([f"{n}/{i}" for i in range(100)]), range(8)))
    assert all(f"«{n}/{i}»" in answer.text for n, batch in enumerate(batches) for i, answer in enumerate(batch))
    assert (chats(giga), logins(giga)) == (800, 1)


def test_one_event_loop_after_another_logs_in_once(giga: Place) -> None:
    model = MultiLLMOrchestrator(router=router_over(giga))

    async def once(number: int) -> list[str]:
        streamed = "".join([chunk.text async for chunk in model.astream(f"{number} поток")])
        return [(await model.ainvoke(f"{number} целиком")).text, streamed]

    for number in range(5):
        whole, streamed = asyncio.run(once(number))
        assert f"«{number} целиком»" in whole
        assert f"«{number} поток»" in streamed
    assert logins(giga) == 1


def test_event_loops_in_several_threads_share_a_router(giga: Place) -> None:
    model = MultiLLMOrchestrator(router=router_over(giga))

    async def some() -> int:
        return len(await model.abatch(["a", "b", "c"]))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: asyncio.run(some()), range(4))) == [3] * 4
    assert logins(giga) == 1


# a running loop, as in a notebook


def test_a_blocking_call_works_under_a_running_loop() -> None:
    _, router = scripted()
    model = MultiLLMOrchestrator(router=router)

    async def cell() -> tuple[str, str]:
        return model.invoke("a").text, "".join(chunk.text for chunk in model.stream("b"))

    assert asyncio.run(cell()) == ("s#1.0 s#1.1 ", "s#2.0 s#2.1 ")


def test_the_loop_goes_on_while_a_call_waits() -> None:
    _, router = scripted(Act(before=0.05))
    model = MultiLLMOrchestrator(router=router)

    async def both() -> int:
        call, turns = asyncio.ensure_future(model.ainvoke("a")), 0
        while not call.done():
            await asyncio.sleep(0.001)
            turns += 1
        await call
        return turns

    assert asyncio.run(both()) > 5


# giving up


def test_cancelling_a_call_ends_the_attempt() -> None:
    provider, router = scripted(Act(before=60))
    model = MultiLLMOrchestrator(router=router)

    async def give_up() -> None:
        call = asyncio.ensure_future(model.ainvoke("a"))
        while not provider.running:
            await asyncio.sleep(0.001)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(give_up())
    until(lambda: provider.running == 0)
    assert provider.plays == 1


def test_leaving_a_stream_closes_the_source() -> None:
    provider, router = scripted(Act(chunks=10_000, between=0.001))
    stream = MultiLLMOrchestrator(router=router).stream("a")
    assert next(stream).text == "s#1.0 "
    stream.close()  # type: ignore[attr-defined]  # it is a generator
    until(lambda: provider.running == 0)
    assert provider.plays == 1


def test_leaving_an_asynchronous_stream_closes_the_source() -> None:
    provider, router = scripted(Act(chunks=10_000, between=0.001))
    model = MultiLLMOrchestrator(router=router)

    async def first() -> str:
        stream = model.astream("a")
        chunk = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
        return chunk.text

    assert asyncio.run(first()) == "s#1.0 "
    until(lambda: provider.running == 0)


def test_a_loop_that_ends_in_the_middle_of_a_stream_closes_the_source() -> None:
    provider, router = scripted(Act(chunks=10_000, between=0.001))
    model = MultiLLMOrchestrator(router=router)

    async def first() -> str:
        return (await anext(model.astream("a"))).text

    assert asyncio.run(first()) == "s#1.0 "
    until(lambda: provider.running == 0)


def test_a_slow_reader_slows_the_source() -> None:
    made = 0

    class Counting(Scripted):
        def pieces(self, play: int, chunks: int) -> Iterator[str]:  # type: ignore[override]  # only iterated
            nonlocal made
            for made in range(1, chunks + 1):  # noqa: B007 - counts what was taken
                yield "x"

    router = Router()
    router.add_provider("s", Counting("s", [Act(chunks=4_000)]))
    stream = MultiLLMOrchestrator(router=router).stream("a")
    next(stream)
    time.sleep(0.1)  # as long as it would take to make them all
    assert made <= 2 * LIMIT + 1
    assert sum(len(chunk.text) for chunk in stream) == 3_999


def test_a_broken_stream_raises_after_what_it_delivered() -> None:
    _, router = scripted(Act(chunks=3, finished=False))
    read = []
    with pytest.raises(ProviderError, match="complete"):
        for chunk in MultiLLMOrchestrator(router=router).stream("a"):
            read.append(chunk.text)
    assert read == ["s#1.0 ", "s#1.1 ", "s#1.2 "]


# opening and closing


def test_models_over_one_file_share_a_router(tmp_path: Path) -> None:
    (tmp_path / "mlo.toml").write_text(MOCK)
    models = [MultiLLMOrchestrator(config_file=tmp_path / "mlo.toml") for _ in range(3)]
    vectors = MultiLLMEmbeddings(config_file=str(tmp_path / "mlo.toml"))
    assert {model.invoke("a").text for model in models} == {"из файла"}
    assert len(vectors.embed_query("a")) == 64
    homes = {model._at_home() for model in models}
    assert homes == {vectors._at_home()}


def test_a_changed_file_is_read_by_new_models(tmp_path: Path) -> None:
    file = tmp_path / "mlo.toml"
    file.write_text(MOCK)
    old = MultiLLMOrchestrator(config_file=file)
    assert old.invoke("a").text == "из файла"
    file.write_text(MOCK.replace("из файла", "новое"))
    assert MultiLLMOrchestrator(config_file=file).invoke("a").text == "новое"
    assert old.invoke("a").text == "из файла"


def test_the_file_is_found_as_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLO_CONFIG", raising=False)
    (tmp_path / "mlo.toml").write_text(MOCK)
    model = MultiLLMOrchestrator()
    assert model.invoke("a").text == "из файла"
    monkeypatch.chdir("/")
    assert model.invoke("a").text == "из файла"


def test_a_file_that_cannot_be_read_can_be_mended(tmp_path: Path) -> None:
    model = MultiLLMOrchestrator(config_file=tmp_path / "mlo.toml")
    for _ in range(2):
        with pytest.raises(ConfigError):
            model.invoke("a")
    (tmp_path / "mlo.toml").write_text(MOCK)
    assert model.invoke("a").text == "из файла"


def test_a_router_closes_with_its_last_model() -> None:
    _, router = scripted()
    model = MultiLLMOrchestrator(router=router)
    other = MultiLLMOrchestrator(router=router)
    model.invoke("a")
    del model
    gc.collect()
    assert other.invoke("b").text
    assert router.is_open
    del other
    gc.collect()
    until(lambda: not router.is_open)


def test_routers_and_homes_are_not_kept_for_ever() -> None:
    _, router = scripted()
    gone = weakref.ref(router)
    for _ in range(3):  # each home waits for the one before, without keeping it
        MultiLLMOrchestrator(router=router).invoke("a")
    del router

    def collected() -> bool:
        gc.collect()
        return gone() is None

    until(collected)
    assert gone() is None


def test_a_closed_model_opens_again() -> None:
    provider, router = scripted()
    model = MultiLLMOrchestrator(router=router)
    texts = []
    for _ in range(3):
        texts.append(model.invoke("a").text)
        model.close()
    until(lambda: not router.is_open)
    assert texts == [f"s#{play}.0 s#{play}.1 " for play in (1, 2, 3)]
    assert provider.running == 0


# a router that is open already


def test_an_open_router_is_used_in_its_own_loop() -> None:
    provider, router = scripted()

    async def here() -> list[str]:
        async with router:
            model = MultiLLMOrchestrator(router=router)
            streamed = "".join([chunk.text async for chunk in model.astream("b")])
            with pytest.raises(MloError, match="wait for itself"):
                model.invoke("c")
            with pytest.raises(MloError, match="wait for itself"):
                next(model.stream("c"))
            model.close()
            assert router.is_open
            return [(await model.ainvoke("a")).text, streamed]

    assert asyncio.run(here()) == ["s#2.0 s#2.1 ", "s#1.0 s#1.1 "]
    assert provider.plays == 2


def test_an_open_router_answers_other_threads() -> None:
    _, router = scripted()

    async def here() -> list[str]:
        async with router:
            model = MultiLLMOrchestrator(router=router)
            streamed = await asyncio.to_thread(lambda: "".join(chunk.text for chunk in model.stream("b")))
            other_loop = await asyncio.to_thread(lambda: asyncio.run(model.ainvoke("c")).text)
            return [streamed, (await asyncio.to_thread(model.invoke, "a")).text, other_loop]

    assert asyncio.run(here()) == ["s#1.0 s#1.1 ", "s#3.0 s#3.1 ", "s#2.0 s#2.1 "]


def test_an_open_router_must_be_wrapped_where_it_is_open() -> None:
    _, router = scripted()

    async def here() -> None:
        async with router:
            with pytest.raises(MloError, match="not running here"):
                await asyncio.to_thread(lambda: MultiLLMOrchestrator(router=router))

    asyncio.run(here())
    assert MultiLLMOrchestrator(router=router).invoke("a").text


# processes

_FORKS = """
import os
from mlo_langchain import MultiLLMOrchestrator
model = MultiLLMOrchestrator(config_file="mlo.toml")
before = model.invoke("a").text
child = os.fork()
if child == 0:
    print("child", model.invoke("b").text, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent", before == model.invoke("c").text)
"""
_EXITS = """
from mlo_langchain import MultiLLMOrchestrator
model = MultiLLMOrchestrator(config_file="mlo.toml")
stream = model.stream("one two three")
print(next(stream).text, model.invoke("a").text)
"""


@pytest.mark.parametrize(
    ("program", "printed", "options"),
    [
        (_FORKS, ["child из файла", "parent True"], ["-W", "ignore::DeprecationWarning"]),
        (_EXITS, ["из из файла"], ["-W", "error"]),
    ],
    ids=["fork", "exit"],
)
def test_a_process(program: str, printed: list[str], options: list[str], tmp_path: Path) -> None:
    (tmp_path / "mlo.toml").write_text(MOCK)
    command = (sys.executable, "-X", "utf8", *options, "-c", program)
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=15)
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (0, printed, "")


def test_calls_do_not_wait_for_one_another() -> None:
    provider, router = scripted(Act(before=0.05))
    model = MultiLLMOrchestrator(router=router)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(model.invoke, "abcdefgh"))
    assert provider.most_running > 1


def test_closing_in_the_middle_of_a_call_leaves_nobody_waiting(giga: Place) -> None:
    model = MultiLLMOrchestrator(router=router_over(giga))
    streams = [model.stream(f"вопрос {number}") for number in range(4)]
    for stream in streams:
        next(stream)
    model.close()
    for stream in streams:
        with contextlib.suppress(MloError):  # what had arrived may have been all of it
            list(stream)
    assert model.invoke("ещё").text
