from __future__ import annotations

import threading
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
