"""What the reader of a stream sees when somebody breaks it off."""

from __future__ import annotations

import gc

import anyio
import pytest

from mlo.errors import (
    CallCancelled,
    ConfigError,
    DeadlineExceeded,
    MloError,
    ProtocolViolated,
    ServerFault,
    StreamInterrupted,
    TransportFailed,
)
from mlo.events import Finished, Started, TextDelta
from mlo.records import AttemptFailed, CallFinished, EventSeen, FirstEvent, Record
from mlo.responses import FinishReason
from mlo.settings import RetrySettings, Settings
from tests.kernel.harness import OBSERVED, routing
from tests.kernel.scripted import Act, Recorder, Scripted

pytestmark = pytest.mark.anyio
SLOW = Act(chunks=50, between=0.01)


def _finished(recorder: Recorder) -> CallFinished:
    (record,) = recorder.of(CallFinished)
    assert isinstance(record, CallFinished)
    return record


async def test_events_come_in_order_and_add_up() -> None:
    async with routing(Scripted("a", [Act(chunks=3)])) as router, router.route_stream("x", route="r") as stream:
        kinds = [type(event).__name__ async for event in stream]
    assert kinds == ["Started", "TextDelta", "TextDelta", "TextDelta", "UsageReported", "Finished"]
    response = stream.response()
    assert (response.text, response.usage.total_tokens) == ("a#1.0 a#1.1 a#1.2 ", 3)
    assert response.call is not None
    assert (response.call.target, response.call.route, len(response.call.attempts)) == ("a", "r", 1)


async def test_a_finished_stream_stays_finished() -> None:
    async with routing(Scripted("a")) as router, router.route_stream("x", route="r") as stream:
        assert [event async for event in stream]
        assert [event async for event in stream] == []


async def test_breaking_after_the_first_event_never_continues_elsewhere() -> None:
    broken = Scripted("a", [Act(chunks=2, error=TransportFailed("reset", request_id="r-1"))])
    other = Scripted("b")
    received = []
    async with routing(broken, other) as router, router.route_stream("x", route="r") as stream:
        with pytest.raises(StreamInterrupted, match="reset") as caught:
            async for event in stream:
                received.append(event)
    assert caught.value.partial.text == "a#1.0 a#1.1 "
    assert (caught.value.target, caught.value.request_id) == ("a", "r-1")
    assert isinstance(caught.value.__cause__, TransportFailed)
    assert other.plays == 0


async def test_a_started_event_is_no_commitment() -> None:
    broken = Scripted("a", [Act(chunks=0, error=ServerFault("down"))])
    async with routing(broken, Scripted("b")) as router, router.route_stream("x", route="r") as stream:
        events = [event async for event in stream]
    assert events[0] == Started(model="b")
    assert stream.response().text == "b#1.0 b#1.1 "


async def test_an_end_without_the_final_event_is_an_interruption() -> None:
    recorder = Recorder()
    cut = Scripted("a", [Act(chunks=1, finished=False)])
    async with routing(cut, recorder=recorder) as router, router.route_stream("x", route="r") as stream:
        with pytest.raises(StreamInterrupted, match="without saying that the answer is complete"):
            [event async for event in stream]
    assert stream.response().finish_reason is FinishReason.OTHER
    assert _finished(recorder).status == "error"


async def test_an_empty_stream_goes_to_the_next_target() -> None:
    empty = Scripted("a", [Act(chunks=0, finished=False)])
    async with routing(empty, Scripted("b")) as router, router.route_stream("x", route="r") as stream:
        events = [event async for event in stream]
    call = stream.response().call
    assert call is not None
    first = call.attempts[0].error
    assert isinstance(first, ProtocolViolated)
    assert isinstance(events[-1], Finished)


async def test_leaving_early_closes_the_source_and_is_recorded() -> None:
    recorder, provider = Recorder(), Scripted("a", [SLOW])
    async with routing(provider, recorder=recorder) as router:
        async with router.route_stream("x", route="r") as stream:
            async for event in stream:
                if isinstance(event, TextDelta):
                    break
        assert provider.running == 0
    assert _finished(recorder).status == "abandoned"
    (ended,) = recorder.of(AttemptFailed)
    assert isinstance(ended, AttemptFailed)
    assert (ended.cancelled, ended.error) == (True, None)


async def test_cancel_from_another_task_wakes_the_reader() -> None:
    recorder, provider = Recorder(), Scripted("a", [Act(chunks=2, between=60.0)])
    async with routing(provider, recorder=recorder) as router, anyio.create_task_group() as tasks:
        async with router.route_stream("x", route="r") as stream:

            async def cancel_soon() -> None:
                await anyio.wait_all_tasks_blocked()
                await stream.cancel()

            tasks.start_soon(cancel_soon)
            with pytest.raises(CallCancelled) as caught:
                [event async for event in stream]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a#1.0 "
    assert (provider.running, _finished(recorder).status) == (0, "cancelled")


async def test_cancel_between_events_takes_effect_at_the_next_one() -> None:
    async with routing(Scripted("a", [SLOW])) as router, router.route_stream("x", route="r") as stream:
        await anext(stream)
        await stream.cancel()
        with pytest.raises(CallCancelled):
            await anext(stream)
        assert [event async for event in stream] == []


async def test_cancel_before_the_first_event() -> None:
    provider = Scripted("a", [Act(before=60.0)])
    async with routing(provider) as router, anyio.create_task_group() as tasks:
        stream = router.route_stream("x", route="r")

        async def cancel_soon() -> None:
            await anyio.wait_all_tasks_blocked()
            await stream.cancel()

        tasks.start_soon(cancel_soon)
        with pytest.raises(CallCancelled):
            await anext(stream)
    assert provider.running == 0


async def test_cancelling_the_reader_closes_the_source() -> None:
    recorder, provider = Recorder(), Scripted("a", [Act(chunks=2, between=60.0)])
    async with routing(provider, recorder=recorder) as router:
        with anyio.move_on_after(0.05):
            async with router.route_stream("x", route="r") as stream:
                [event async for event in stream]
        assert provider.running == 0
    assert _finished(recorder).status == "cancelled"


async def test_the_deadline_covers_the_whole_stream() -> None:
    provider = Scripted("a", [Act(chunks=2, between=60.0)])
    async with routing(provider) as router, router.route_stream("x", route="r", deadline=0.1) as stream:
        with pytest.raises(DeadlineExceeded) as caught:
            [event async for event in stream]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a#1.0 "
    assert provider.running == 0


async def test_a_reader_that_is_slow_itself_is_not_cancelled_by_the_streams_deadline() -> None:
    async with routing(Scripted("a", [Act(chunks=2)])) as router:
        async with router.route_stream("x", route="r", deadline=0.05) as stream:
            await anext(stream)
            await anyio.sleep(0.1)  # the deadline passes in the reader's own code, which is left alone
            with pytest.raises(DeadlineExceeded):
                async for _event in stream:
                    await anyio.sleep(0)


async def test_a_stream_may_be_read_in_one_task_and_closed_in_another() -> None:
    provider = Scripted("a", [SLOW])
    async with routing(provider) as router:
        stream = router.route_stream("x", route="r")
        await anext(stream)

        async def read() -> None:
            await anext(stream)

        for step in (read, stream.aclose):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(step)
    assert provider.running == 0


async def test_a_dropped_stream_warns_and_is_accounted_for(recwarn: pytest.WarningsRecorder) -> None:
    recorder = Recorder()
    async with routing(Scripted("a", [SLOW]), recorder=recorder) as router:
        stream = router.route_stream("x", route="r")
        await anext(stream)
        generator = stream._generator
        with pytest.warns(ResourceWarning, match="dropped without being closed"):
            del stream
            gc.collect()
        if generator is not None:
            await generator.aclose()
    assert _finished(recorder).status == "abandoned"


async def test_an_open_stream_holds_its_slot() -> None:
    provider = Scripted("a", [Act(chunks=2)])
    async with routing(Scripted("b")) as router:
        router.add_provider("a", provider, concurrency=1)
        async with router.route_stream("x", target="a") as stream:
            await anext(stream)
            with pytest.raises(DeadlineExceeded):
                await router.route("y", target="a", deadline=0.05)
        assert (await router.route("z", target="a", deadline=1)).text


async def test_the_first_event_is_recorded_once_and_only_for_who_answers() -> None:
    recorder = Recorder()
    broken = Scripted("a", [Act(chunks=0, error=ServerFault("down"))])
    async with routing(broken, Scripted("b"), recorder=recorder) as router:
        async with router.route_stream("x", route="r") as stream:
            [event async for event in stream]
    (first,) = recorder.of(FirstEvent)
    assert isinstance(first, FirstEvent)
    assert first.target == "b"


@pytest.mark.parametrize("capture", ["none", "content"])
async def test_records_show_events_only_where_content_is_captured(capture: str) -> None:
    recorder = Recorder()
    settings = Settings(observers=OBSERVED, capture="content" if capture == "content" else "none")
    async with routing(Scripted("a"), recorder=recorder, settings=settings) as router:
        async with router.route_stream("sekret", route="r") as stream:
            [event async for event in stream]
    seen: list[Record] = recorder.of(EventSeen)
    assert isinstance(seen[0], EventSeen)
    assert seen[0].kind == "Started"
    shown = any(isinstance(record, EventSeen) and record.event is not None for record in seen)
    assert shown is (capture == "content")
    assert ("sekret" in repr(recorder.records)) is (capture == "content")


async def test_retries_begin_anew_before_the_first_event_only() -> None:
    provider = Scripted("a", [Act(chunks=0, error=ServerFault("down")), Act(chunks=1)])
    async with routing(provider, retry=RetrySettings(rounds=2, base=0.001)) as router:
        async with router.route_stream("x", route="r") as stream:
            [event async for event in stream]
    assert stream.response().text == "a#2.0 "


async def test_closing_while_another_task_reads_cancels_the_reader() -> None:
    async with routing(Scripted("a", [Act(chunks=2, between=60)])) as router, anyio.create_task_group() as tasks:
        stream = router.route_stream("x", route="r")
        await anext(stream)
        await anext(stream)

        async def read() -> None:
            with pytest.raises(CallCancelled):
                await anext(stream)

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await stream.aclose()
    assert stream.response().text == "a#1.0 "


@pytest.mark.parametrize("begun", [False, True])
async def test_a_second_reader_at_the_same_time_is_refused(*, begun: bool) -> None:
    act = Act(between=60) if begun else Act(before=60)
    async with routing(Scripted("a", [act])) as router, anyio.create_task_group() as tasks:
        async with router.route_stream("x", route="r") as stream:

            async def read() -> None:
                with pytest.raises(CallCancelled):
                    [event async for event in stream]

            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(MloError, match="one reader at a time"):
                await anext(stream)


async def test_a_stream_closed_before_its_first_event_stays_closed() -> None:
    scripted = Scripted("a")
    async with routing(scripted) as router:
        async with router.route_stream("x", route="r") as stream:
            pass
        assert [event async for event in stream] == []
    assert scripted.plays == 0


async def test_a_stream_first_read_after_a_reload_follows_the_new_configuration() -> None:
    async with routing(Scripted("a")) as router:
        stream = router.route_stream("x", route="r")
        await router.reload(Settings())
        with pytest.raises(ConfigError, match="there is no route 'r'"):
            await anext(stream)


async def test_a_stream_first_read_after_its_router_was_closed_says_so() -> None:
    async with routing(Scripted("a")) as router:
        stream = router.route_stream("x", route="r")
    with pytest.raises(MloError, match="the router is not open"):
        await anext(stream)
