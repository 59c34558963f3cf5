"""A relay obeys the rules of every other call."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest

from mlo import ChatRequest, ChatResponse, Stream
from mlo.api import CallContext, Steps
from mlo.errors import (
    AttemptsExhausted,
    CallRefused,
    DeadlineExceeded,
    InvalidRequest,
    ProviderError,
    RateLimited,
    ServerFault,
    StreamInterrupted,
    TransportFailed,
)
from mlo.models import Capability, Price
from mlo.records import AttemptFailed, AttemptFinished, AttemptStarted, CallFinished, CallStarted, FirstEvent, Record
from mlo.relay import Relay, Relayed, RelayRequest
from mlo.relayed import RelayedStream
from mlo.responses import FinishReason, Usage
from mlo.routing import Request, Step, Target
from mlo.settings import BreakerSettings, ProviderSettings, RetrySettings, Settings
from tests.kernel.harness import OBSERVED, routing
from tests.kernel.relays import HANG, USAGE, Relaying, Source, asked
from tests.kernel.scripted import Act, Recorder, Scripted

pytestmark = pytest.mark.anyio
ONCE = RetrySettings(rounds=1)


async def bytes_of(answer: object) -> bytes:
    assert isinstance(answer, RelayedStream)
    return b"".join([piece async for piece in answer])


def last(recorder: Recorder, kind: type[Record]) -> Any:
    return recorder.of(kind)[-1]


def test_the_scripted_provider_is_a_relay() -> None:
    assert isinstance(Relaying("a"), Relay)
    assert not isinstance(Scripted("a"), Relay)


# the straight way


async def test_a_whole_answer_goes_through_unread() -> None:
    recorder, provider = Recorder(), Relaying("a")
    async with routing(provider, recorder=recorder) as router:
        async with router.relay(asked(model="m", metadata={"key": "k"}), route="r") as answer:
            assert isinstance(answer, Relayed)
            assert (answer.body, answer.summary.usage) == (b"one two", USAGE)
            assert answer.call is not None
            assert (answer.call.target, answer.call.route, len(answer.call.attempts)) == ("a", "r", 1)
    assert [(request.wire, model) for request, model in provider.asked] == [("test.chat", "m")]
    assert provider.plays == 0
    started, finished, over = last(recorder, CallStarted), last(recorder, AttemptFinished), last(recorder, CallFinished)
    assert (started.operation, started.metadata, started.request) == ("chat", {"key": "k"}, None)
    assert (finished.model, finished.usage, finished.finish_reason) == ("m-1", USAGE, FinishReason.STOP)
    assert (finished.request_id, finished.characters) == ("r-1", 7)
    assert (over.status, over.target, over.usage, over.attempts) == ("ok", "a", USAGE, 1)
    assert over.call_id == answer.call.call_id


async def test_a_stream_goes_through_unread() -> None:
    recorder, provider = Recorder(), Relaying("a")
    async with routing(provider, recorder=recorder) as router:
        async with router.relay(asked(stream=True), route="r") as answer:
            assert isinstance(answer, RelayedStream)
            assert (answer.target, answer.content_type) == ("a", "text/event-stream")
            assert recorder.of(FirstEvent)
            assert not recorder.of(AttemptFinished)
            assert await bytes_of(answer) == b"one two"
            assert await bytes_of(answer) == b""
            assert answer.summary().usage == USAGE
    (source,) = provider.sources
    assert source.closed
    finished, over = last(recorder, AttemptFinished), last(recorder, CallFinished)
    assert (finished.usage, finished.first_event is not None) == (USAGE, True)
    assert (over.status, over.target, over.usage, over.call_id) == ("ok", "a", USAGE, answer.call_id)


async def test_the_price_of_the_operator_counts() -> None:
    price = Price(prompt=1_000_000, completion=2_000_000)
    recorder, provider = Recorder(), Relaying("a")
    async with routing(provider, recorder=recorder) as router:
        state = router._running().wiring.state("a")
        state.instance.settings = ProviderSettings(use="a", price=price)
        async with router.relay(asked(), route="r") as answer:
            assert isinstance(answer, Relayed)
        async with router.relay(asked(stream=True), route="r") as stream:
            await bytes_of(stream)
    assert answer.summary.usage.cost == price.cost(prompt=3, completion=5)
    costs = [record.usage.cost for record in recorder.of(AttemptFinished, CallFinished)]  # type: ignore[union-attr]
    assert costs == [answer.summary.usage.cost] * 4


async def test_the_rest_of_the_request_is_not_built_for_a_relay() -> None:
    built = []

    def build() -> ChatRequest:
        built.append(1)
        return ChatRequest.of("Привет")

    chat = ChatRequest.deferred(build, needs=frozenset({Capability.CHAT}), model="m")
    request = RelayRequest(wire="test.chat", raw=b"{}", document={}, chat=chat)
    unnamed = RelayRequest(
        wire="test.chat", raw=b"{}", document={}, chat=ChatRequest.deferred(build, needs=chat.needs())
    )
    relaying, other = Relaying("a"), Scripted("b")
    async with routing(relaying, other) as router:
        async with router.relay(unnamed, target="a:big"):
            assert built == []
        async with router.relay(request, target="a"), router.relay(request, target="b"):
            assert built == []
    assert other.seen == [ChatRequest(messages=ChatRequest.of("Привет").messages, model="m")]
    assert built == [1]


async def test_a_model_in_the_target_is_asked_for() -> None:
    provider = Relaying("a")
    async with routing(provider) as router:
        async with router.relay(asked(), target="a:big"):
            pass
        async with router.relay(asked(model="mine"), target="a:big"):
            pass
        router.add_route("big", ["a:big"])
        async with router.relay(asked(), route="big"):
            pass
    assert [model for _, model in provider.asked] == ["big", "mine", "big"]


# who cannot relay


@pytest.mark.parametrize("kind", [Scripted, lambda name: Relaying(name, wires=frozenset({"another.wire"}))])
async def test_who_does_not_speak_the_wire_answers_in_the_kernels_words(kind: Callable[[str], Scripted]) -> None:
    recorder, provider = Recorder(), kind("a")
    async with routing(provider, recorder=recorder) as router:
        async with router.relay(asked(), route="r") as answer:
            assert isinstance(answer, ChatResponse)
            assert answer.call is not None
            assert (answer.text, answer.call.target) == ("a#1.0 a#1.1 ", "a")
        async with router.relay(asked(stream=True), route="r") as stream:
            assert isinstance(stream, Stream)
            assert [event async for event in stream]
            assert (stream.target, stream.response().text) == ("a", "a#2.0 a#2.1 ")
    assert [record.status for record in recorder.of(CallFinished)] == ["ok", "ok"]  # type: ignore[union-attr]
    operations = [record.operation for record in recorder.of(CallStarted)]  # type: ignore[union-attr]
    assert operations == ["chat", "stream"]


class Looking:
    """Accepts every answer, but wants to see it."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        for target in targets:
            yield Step((target,), accept=lambda response: bool(response.text))


async def test_a_strategy_that_looks_at_answers_gets_answers() -> None:
    provider = Relaying("a")
    async with routing(provider, strategy=Looking()) as router, router.relay(asked(), route="r") as answer:
        assert isinstance(answer, ChatResponse)
    assert not provider.asked


async def test_where_content_is_captured_it_is_read() -> None:
    recorder, provider = Recorder(), Relaying("a")
    settings = Settings(observers=OBSERVED, capture="content")
    async with routing(provider, recorder=recorder, settings=settings) as router:
        async with router.relay(asked(), route="r") as answer:
            assert isinstance(answer, ChatResponse)
    assert last(recorder, AttemptFinished).response.text == answer.text


async def test_a_route_inside_a_route_does_not_relay() -> None:
    provider = Relaying("a")
    async with routing(provider) as router:
        router.add_route("outer", ["route:r"])
        async with router.relay(asked(), route="outer") as answer:
            assert isinstance(answer, ChatResponse)


# failures


@pytest.mark.parametrize("stream", [False, True])
async def test_before_the_first_byte_the_next_target_is_asked(stream: bool) -> None:
    recorder = Recorder()
    broken = Relaying("a", scripts=[[ServerFault("down")]])
    async with routing(broken, Relaying("b"), recorder=recorder, retry=ONCE) as router:
        async with router.relay(asked(stream=stream), route="r") as answer:
            body = answer.body if isinstance(answer, Relayed) else await bytes_of(answer)
    assert body == b"one two"
    assert [record.target for record in recorder.of(AttemptStarted)] == ["a", "b"]  # type: ignore[union-attr]
    assert all(source.closed for source in broken.sources)
    assert last(recorder, CallFinished).target == "b"


async def test_targets_that_relay_and_such_that_do_not_stand_in_for_each_other() -> None:
    failing = Scripted("a", [Act(error=ServerFault("down"))])
    async with routing(failing, Relaying("b"), retry=ONCE) as router, router.relay(asked(), route="r") as answer:
        assert isinstance(answer, Relayed)
    failing_relay = Relaying("a", scripts=[[ServerFault("down")]])
    async with routing(failing_relay, Scripted("b"), retry=ONCE) as router:
        async with router.relay(asked(stream=True), route="r") as stream:
            assert isinstance(stream, Stream)
            assert stream.target == "b"


async def test_an_empty_stream_goes_to_the_next_target() -> None:
    empty = Relaying("a", scripts=[[]])
    async with routing(empty, Relaying("b")) as router, router.relay(asked(stream=True), route="r") as answer:
        assert isinstance(answer, RelayedStream)
        assert answer.target == "b"
    assert empty.sources[0].closed


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fatal_error_ends_the_call(stream: bool) -> None:
    recorder, other = Recorder(), Relaying("b")
    async with routing(Relaying("a", scripts=[[InvalidRequest("no")]]), other, recorder=recorder) as router:
        with pytest.raises(InvalidRequest, match="no"):
            async with router.relay(asked(stream=stream), route="r"):
                pass
    assert not other.asked
    assert last(recorder, CallFinished).status == "error"
    assert last(recorder, AttemptFailed).target == "a"


async def test_after_the_first_byte_nobody_else_is_asked() -> None:
    recorder, other = Recorder(), Relaying("b")
    broken = Relaying("a", scripts=[[b"one ", TransportFailed("reset", request_id="r-9")]])
    async with routing(broken, other, recorder=recorder) as router:
        async with router.relay(asked(stream=True), route="r") as answer:
            assert isinstance(answer, RelayedStream)
            received = []
            with pytest.raises(StreamInterrupted, match="reset") as caught:
                async for piece in answer:
                    received.append(piece)
            assert await bytes_of(answer) == b""
    assert received == [b"one "]
    assert (caught.value.target, caught.value.request_id, caught.value.partial.model) == ("a", "r-9", "m-1")
    assert isinstance(caught.value.__cause__, TransportFailed)
    assert not other.asked
    assert broken.sources[0].closed
    assert (last(recorder, AttemptFailed).error, last(recorder, CallFinished).error) == (caught.value, caught.value)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bug_in_the_plugin_is_a_failed_attempt(stream: bool) -> None:
    class Wrong(Relaying):
        async def relay(self, *_: object) -> Any:
            return b"bytes"

        async def relay_stream(self, *_: object) -> Any:
            return b"bytes"

    async with routing(Wrong("a"), Relaying("b")) as router:
        async with router.relay(asked(stream=stream), route="r") as answer:
            assert isinstance(answer, Relayed | RelayedStream)
        with pytest.raises(ProviderError, match="a bug in the plugin"):
            async with router.relay(asked(stream=stream), target="a"):
                pass


@pytest.mark.parametrize("summary", [None, RuntimeError("no summary")])
async def test_a_stream_that_cannot_sum_itself_up_ends_all_the_same(
    summary: object, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong(Source):
        def summary(self) -> Any:
            if isinstance(summary, Exception):
                raise summary
            return summary

    class Provider(Relaying):
        async def relay_stream(self, *_: object) -> Any:
            return Wrong([b"one ", b"two"])

    recorder = Recorder()
    async with routing(recorder=recorder) as router:
        router.add_provider("a", Provider("a"), concurrency=1)
        for _ in range(2):  # the first one gives its slot back
            async with router.relay(asked(stream=True), target="a", deadline=5.0) as answer:
                assert await bytes_of(answer) == b"one two"
    assert [record.status for record in recorder.of(CallFinished)] == ["ok"] * 2  # type: ignore[union-attr]
    assert last(recorder, AttemptFinished).usage == Usage()
    assert "a: the provider plugin failed" in caplog.text or "a: summary() gave NoneType" in caplog.text


async def test_failures_trip_the_circuit_breaker() -> None:
    settings = Settings(observers=OBSERVED, breaker=BreakerSettings(failures=2))
    provider = Relaying("a", scripts=[[TransportFailed("gone")]])
    async with routing(provider, Relaying("b"), settings=settings, retry=ONCE) as router:
        for _ in range(4):
            async with router.relay(asked(), route="r"):
                pass
    assert len(provider.asked) == 2


async def test_rounds_and_their_errors() -> None:
    provider = Relaying("a", scripts=[[RateLimited("slowly")]])
    async with routing(provider, retry=RetrySettings(rounds=2, base=0.0)) as router:
        with pytest.raises(AttemptsExhausted):
            async with router.relay(asked(), route="r"):
                pass
    assert len(provider.asked) == 2


# ends


async def test_leaving_early_hangs_up_and_is_recorded() -> None:
    recorder, provider = Recorder(), Relaying("a", scripts=[[b"one ", HANG]])
    async with routing(provider, recorder=recorder) as router:
        async with router.relay(asked(stream=True), route="r") as answer:
            assert isinstance(answer, RelayedStream)
            assert await anext(answer) == b"one "
        assert provider.sources[0].closed == 1
    assert last(recorder, AttemptFailed).cancelled
    over = last(recorder, CallFinished)
    assert (over.status, over.usage.prompt_tokens) == ("abandoned", None)


async def test_a_reader_that_is_cancelled_hangs_up() -> None:
    recorder, provider = Recorder(), Relaying("a", scripts=[[b"one ", HANG]])
    async with routing(provider, recorder=recorder) as router:
        with anyio.move_on_after(0.05):
            async with router.relay(asked(stream=True), route="r") as answer:
                await bytes_of(answer)
    assert provider.sources[0].closed
    assert last(recorder, CallFinished).status == "cancelled"


async def test_a_call_that_is_cancelled_before_its_answer_is_recorded() -> None:
    recorder, provider = Recorder(), Relaying("a", scripts=[[HANG]])
    async with routing(provider, recorder=recorder) as router:
        for stream in (False, True):
            with anyio.move_on_after(0.05):
                async with router.relay(asked(stream=stream), route="r"):
                    pass
    assert [record.status for record in recorder.of(CallFinished)] == ["cancelled"] * 2  # type: ignore[union-attr]
    assert provider.sources[0].closed


@pytest.mark.parametrize("is_bounded", [False, True])
async def test_the_deadline_ends_a_stream(is_bounded: bool) -> None:
    recorder = Recorder()
    provider = Relaying("a", scripts=[[b"one ", HANG]], is_bounded=is_bounded)
    async with routing(provider, recorder=recorder) as router:
        async with router.relay(asked(stream=True), route="r", deadline=0.1) as answer:
            with pytest.raises(DeadlineExceeded, match="within the deadline") as caught:
                await bytes_of(answer)
    assert caught.value.partial is not None
    assert provider.sources[0].closed
    assert last(recorder, CallFinished).error is caught.value


@pytest.mark.parametrize("stream", [False, True])
async def test_the_deadline_ends_the_wait_for_an_answer(stream: bool) -> None:
    async with routing(Relaying("a", scripts=[[HANG]])) as router:
        with pytest.raises(DeadlineExceeded):
            async with router.relay(asked(stream=stream), route="r", deadline=0.05):
                pass


async def test_a_stream_that_is_dropped_is_accounted_for_and_warned_of() -> None:
    recorder, provider = Recorder(), Relaying("a")
    async with routing(provider, recorder=recorder) as router:
        call = router.relay(asked(stream=True), route="r")
        answer = await call.__aenter__()
        with pytest.warns(ResourceWarning, match="dropped without being closed"):
            del answer, call
            gc.collect()
    assert last(recorder, CallFinished).status == "abandoned"


async def test_a_slot_is_held_until_the_stream_has_ended() -> None:
    provider = Relaying("a")
    async with routing() as router:
        router.add_provider("a", provider, concurrency=1)
        async with router.relay(asked(stream=True), target="a"):
            with anyio.move_on_after(0.02) as waiting:
                async with router.relay(asked(stream=True), target="a"):
                    pass
            assert waiting.cancelled_caught
        async with router.relay(asked(stream=True), target="a") as answer:
            assert await bytes_of(answer) == b"one two"


class Racing:
    """All targets at once."""

    def route(self, request: Request, targets: Sequence[Target], /) -> Steps:
        yield Step(tuple(targets))


async def test_the_losers_of_a_race_are_closed() -> None:
    slow, quick = Relaying("a", scripts=[[HANG]]), Relaying("b")
    async with routing(slow, quick, strategy=Racing()) as router:
        async with router.relay(asked(stream=True), route="r") as answer:
            assert isinstance(answer, RelayedStream)
            assert answer.target == "b"
        assert [source.closed for source in (*slow.sources, *quick.sources)] == [1, 1]


async def test_a_race_with_two_winners_leaves_nothing_open() -> None:
    providers = [Relaying(name) for name in "abc"]
    recorder = Recorder()
    async with routing(*providers, strategy=Racing(), recorder=recorder) as router:
        async with router.relay(asked(stream=True), route="r") as answer:
            await bytes_of(answer)
    assert all(source.closed for provider in providers for source in provider.sources)
    attempts = len(recorder.of(AttemptStarted))
    assert attempts == len(recorder.of(AttemptFinished, AttemptFailed))


class Refusing:
    """A gatekeeper that lets nobody through."""

    wants: frozenset[type[Record]] = frozenset()

    def on(self, record: Record, /) -> None:
        raise NotImplementedError

    def admit(self, call: CallStarted, request: Request, /) -> None:
        raise CallRefused("no", reason="closed", scope=request.metadata["key"])


async def test_a_gatekeeper_is_asked_first() -> None:
    provider = Relaying("a")
    async with routing(provider, recorder=Refusing()) as router:
        with pytest.raises(CallRefused) as caught:
            async with router.relay(asked(metadata={"key": "k-1"}), route="r"):
                pass
    assert (caught.value.scope, provider.asked) == ("k-1", [])


async def test_a_reload_waits_for_a_relayed_stream() -> None:
    provider = Relaying("a")
    async with routing(provider) as router, router.relay(asked(stream=True), route="r") as answer:
        with anyio.move_on_after(0.05) as waiting:
            await router.reload(router.settings)
        assert waiting.cancelled_caught
        assert await bytes_of(answer) == b"one two"
        with anyio.fail_after(5):
            await router.reload(router.settings)


async def test_contexts_tell_of_the_call() -> None:
    provider = Relaying("a")
    async with routing(provider) as router, router.relay(asked(stream=True), route="r", deadline=60) as answer:
        assert isinstance(answer, RelayedStream)
        (context,) = provider.contexts
        assert isinstance(context, CallContext)
        assert (context.call_id, context.target, context.route) == (answer.call_id, "a", "r")
        assert context.deadline is not None


def test_sources_are_what_the_protocol_says() -> None:
    assert {"receive", "summary", "aclose", "is_bounded", "content_type"} <= set(dir(Source([])))
