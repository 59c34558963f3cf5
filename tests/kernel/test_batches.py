"""Streams whose events come together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

import anyio
import pytest
from attrs import define

from mlo.api import CallContext
from mlo.batches import EventBatches, batched
from mlo.errors import CallCancelled, ServerFault, StreamInterrupted
from mlo.events import Event, Finished, Started, TextDelta
from mlo.records import EventSeen
from mlo.requests import ChatRequest
from mlo.responses import FinishReason
from tests.kernel.harness import routing
from tests.kernel.scripted import Recorder, Scripted

pytestmark = pytest.mark.anyio
END = Finished(FinishReason.STOP)


@define(eq=False)
class InBatches(Scripted):
    """Answers with these batches; an error among them is raised."""

    batches: Sequence[Iterable[Event] | Exception] = ()
    pause: float = 0.0
    closed: bool = False

    @batched
    async def generate_stream(self, request: ChatRequest, ctx: CallContext, /) -> AsyncGenerator[Iterable[Event], None]:
        """The batches, one after the other."""
        del request, ctx
        try:
            for batch in self.batches:
                if isinstance(batch, Exception):
                    raise batch
                yield batch
                await anyio.sleep(self.pause)
        finally:
            self.closed = True


def _texts(*texts: str) -> list[Event]:
    return [TextDelta(text) for text in texts]


async def test_each_event_is_seen_once_and_in_order() -> None:
    recorder = Recorder()
    batches = [[Started(model="m"), *_texts("a", "b")], [], _texts("c"), [*_texts("d"), END]]
    provider = InBatches("p", batches=batches)
    async with routing(provider, recorder=recorder) as router, router.route_stream("x", route="r") as stream:
        more = []
        async for event in stream:
            if isinstance(event, TextDelta):
                more.append((event.text, stream.has_more))
    assert more == [("a", True), ("b", False), ("c", False), ("d", True)]
    assert stream.response().text == "abcd"
    assert len(recorder.of(EventSeen)) == 6
    assert provider.closed


async def test_events_that_came_before_an_error_are_read_before_it() -> None:
    provider = InBatches("p", batches=[_texts("a", "b", "c"), ServerFault("broken")])
    async with routing(provider) as router, router.route_stream("x", route="r") as stream:
        with pytest.raises(StreamInterrupted) as caught:
            async for _ in stream:
                pass
    assert caught.value.partial is not None
    assert caught.value.partial.text == "abc"


async def test_a_cancel_does_not_wait_for_events_that_are_there() -> None:
    provider = InBatches("p", batches=[_texts("a", "b", "c"), [END]])
    async with routing(provider) as router, router.route_stream("x", route="r") as stream:
        await anext(stream)
        assert stream.has_more
        await stream.cancel()
        with pytest.raises(CallCancelled) as caught:
            await anext(stream)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a"
    assert provider.closed


async def test_a_cancel_reaches_who_waits_for_a_batch() -> None:
    provider = InBatches("p", batches=[_texts("a", "b"), [END]], pause=60)
    async with routing(provider) as router, router.route_stream("x", route="r") as stream:
        assert [await anext(stream), await anext(stream)] == _texts("a", "b")
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                with pytest.raises(CallCancelled):
                    await anext(stream)

            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await stream.cancel()
    assert provider.closed


async def test_by_itself_it_is_a_generator() -> None:
    async def batches() -> AsyncGenerator[Iterable[Event], None]:
        yield _texts("a", "b")
        try:
            yield _texts("c")
        except KeyError:
            yield _texts("d")

    source = EventBatches(batches())
    async with aclosing(source):
        assert [await anext(source), await source.asend(None)] == _texts("a", "b")
        assert await anext(source) == TextDelta("c")
        assert await source.athrow(KeyError("x")) == TextDelta("d")
        with pytest.raises(StopAsyncIteration):
            await anext(source)


async def test_closing_forgets_what_was_not_read() -> None:
    async def batches() -> AsyncGenerator[Iterable[Event], None]:
        yield _texts("a", "b")

    source = EventBatches(batches())
    await anext(source)
    await source.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(source)
