"""Calls whose router goes away beneath them: they fail as calls do, and nobody seems cancelled who was not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from mlo import MloError, Router
from mlo_langchain import MultiLLMOrchestrator
from tests.kernel.scripted import Act, Scripted


def blocking_call(model: MultiLLMOrchestrator) -> object:
    return model.invoke("q")


def blocking_stream(model: MultiLLMOrchestrator) -> object:
    return list(model.stream("q"))


def asynchronous_call(model: MultiLLMOrchestrator) -> object:
    return asyncio.run(model.ainvoke("q"))


def asynchronous_stream(model: MultiLLMOrchestrator) -> object:
    async def read() -> object:
        return [chunk async for chunk in model.astream("q")]

    return asyncio.run(read())


def in_a_thread(ask: Callable[[MultiLLMOrchestrator], object], model: MultiLLMOrchestrator) -> Future[BaseException]:
    """What the call raises in a thread of its own."""
    told: Future[BaseException] = Future()

    def run() -> None:
        try:
            ask(model)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            told.set_result(error)
        else:
            told.set_exception(AssertionError("the call came to an end"))

    threading.Thread(target=run, daemon=True).start()
    return told


@pytest.mark.parametrize("ask", [blocking_call, blocking_stream, asynchronous_call, asynchronous_stream])
def test_the_end_of_the_routers_loop_fails_the_calls_of_other_threads(
    ask: Callable[[MultiLLMOrchestrator], object],
) -> None:
    provider = Scripted("s", [Act(before=60)])

    async def main() -> Future[BaseException]:
        router = Router()
        router.add_provider("s", provider)
        async with router:
            told = in_a_thread(ask, MultiLLMOrchestrator(router=router))
            while not provider.seen:
                await asyncio.sleep(0.002)
        return told

    with pytest.raises(MloError, match="closed while the call was under way"):
        raise asyncio.run(main()).result(10)
