from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlo import BlockingRouter
from mlo.errors import CallCancelled, ConfigError, MloError, ServerFault
from mlo.events import TextDelta
from mlo.settings import RetrySettings
from tests.kernel.scripted import Act, Scripted


def test_many_threads_share_one_router() -> None:
    provider = Scripted("a", [Act(before=0.001)])
    with BlockingRouter() as router:
        router.add_provider("a", provider)
        with ThreadPoolExecutor(16) as pool:
            texts = list(pool.map(lambda _: router.route("x").text, range(64)))
    assert len(set(texts)) == 64
    assert provider.most_running > 1


def test_streams_are_iterators() -> None:
    with BlockingRouter() as router:
        router.add_provider("a", Scripted("a"))
        with router.route_stream("x") as stream:
            texts = [event.text for event in stream if isinstance(event, TextDelta)]
        assert (texts, stream.target) == (["a#1.0 ", "a#1.1 "], "a")
        assert stream.response().text == "a#1.0 a#1.1 "


def test_a_stream_can_be_left_early_and_cancelled_from_another_thread() -> None:
    provider = Scripted("a", [Act(chunks=2, between=60.0)])
    with BlockingRouter() as router:
        router.add_provider("a", provider)
        with router.route_stream("x") as stream:
            next(stream)
            next(stream)
            timer = threading.Timer(0.05, stream.cancel)
            timer.start()
            with pytest.raises(CallCancelled):
                next(stream)
            timer.join()
        with router.route_stream("x") as stream:
            next(stream)
    assert provider.running == 0


def test_everything_else_works_without_a_loop(tmp_path: Path) -> None:
    file = tmp_path / "mlo.toml"
    file.write_text('[providers.m]\nuse = "mock"\nanswer = "one"\n')
    with BlockingRouter.from_file(file) as router:
        assert router.route("x").text == "one"
        assert len(router.embed(["x", "y"]).vectors) == 2
        assert list(router.models()) == list(router.health()) == ["m"]
        file.write_text('[providers.m]\nuse = "mock"\nanswer = "two"\n')
        router.reload()
        assert router.route("x").text == "two"


def test_errors_come_through_unchanged() -> None:
    with BlockingRouter() as router:
        router.add_provider("a", Scripted("a", [Act(error=ServerFault("down"))]))
        router.add_route("r", ["a"], retry=RetrySettings(rounds=1))
        with pytest.raises(ServerFault, match="a: down"):
            router.route("x", route="r")
        with pytest.raises(ConfigError):
            router.route("x", route="nope")


def test_it_must_be_open_and_can_be_set_up_before() -> None:
    router = BlockingRouter()
    router.add_provider("a", Scripted("a"))
    with pytest.raises(MloError, match="with router"):
        router.route("x")
    with router:
        with pytest.raises(MloError, match="open already"):
            router.__enter__()
        assert router.route("x").text


def _asked(ask: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    results: list[object] = []

    def run() -> None:
        try:
            results.append(ask())
        except MloError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def _wait_until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.001)


def test_leaving_the_block_ends_what_other_threads_have_under_way() -> None:
    provider = Scripted("a", [Act(chunks=1, between=60), Act(before=60)])
    with BlockingRouter() as router:
        router.add_provider("a", provider)
        stream = router.route_stream("x")
        next(stream)
        next(stream)
        reader, read = _asked(lambda: next(stream))
        caller, called = _asked(lambda: router.route("x"))
        _wait_until(lambda: provider.running == 2)
    reader.join()
    caller.join()
    assert isinstance(read[0], CallCancelled)
    assert "the router was closed" in str(called[0])
    assert provider.running == 0


def test_a_stream_that_outlives_its_router_is_closed() -> None:
    provider = Scripted("a", [Act(chunks=2)])
    with BlockingRouter() as router:
        router.add_provider("a", provider)
        stream = router.route_stream("x")
        next(stream)
    assert provider.running == 0
    stream.close()
    stream.cancel()
    with pytest.raises(MloError, match="the router is not open"):
        next(stream)


def test_a_stream_may_be_closed_from_another_thread() -> None:
    with BlockingRouter() as router:
        router.add_provider("a", Scripted("a", [Act(chunks=1, between=60)]))
        stream = router.route_stream("x")
        thread, read = _asked(lambda: list(stream))
        _wait_until(lambda: stream.response().text != "")
        stream.close()
        thread.join()
    assert isinstance(read[0], CallCancelled)


_FORK = """
import os
from mlo import BlockingRouter, MloError
from tests.kernel.scripted import Scripted

def own():
    with BlockingRouter() as router:
        router.add_provider("a", Scripted("a"))
        return router.route("x").call.call_id

with BlockingRouter() as router:
    router.add_provider("a", Scripted("a"))
    if os.fork() == 0:
        try:
            router.route("x")
        except MloError as error:
            print(error, flush=True)
        router.__exit__(None, None, None)
        print(own(), flush=True)
        os._exit(0)
    os.wait()
    print(own())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_is_told_that_it_needs_a_router_of_its_own_and_has_ids_of_its_own() -> None:
    command = [sys.executable, "-W", "ignore", "-c", _FORK]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=15, cwd=Path(__file__).parents[2]
    )
    complaint, id_in_fork, id_here = printed.stdout.splitlines()
    assert "opened in another process" in complaint
    assert id_in_fork.split("-")[0] != id_here.split("-")[0]
