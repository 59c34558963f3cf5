"""What goes along with requests to providers: the right attempt's ``traceparent``, and nobody else's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from mlo import ChatRequest, MloError, tracing
from mlo.relay import RelayRequest
from mlo.relayed import RelayedStream
from mlo.settings import ComponentSettings
from mlo_sdk.http import HttpClient
from tests.plugins.otel.otlp import Receiver, plain, receiving, routing
from tests.sdk.http_server import Received, Server, frame, serving, streamed, whole, whole_json

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def answer(_: Received) -> list[object]:
    return [whole_json({"choices": [{"message": {"role": "assistant", "content": "да"}, "finish_reason": "stop"}]})]


def refuse(_: Received) -> list[object]:
    return [whole_json({"error": {"message": "busy"}}, status=503)]


def speak(_: Received) -> Iterator[bytes]:
    pieces = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("раз ", "два")]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return streamed(*(frame(each) for each in (*pieces, end)), frame("[DONE]"))


def backend(server: Server) -> dict[str, Any]:
    return {"use": "openai-compat", "base_url": server.url, "model": "m"}


def sent(server: Server) -> list[str | None]:
    return [request.headers.get("traceparent") for request in server.requests]


def header(receiver: Receiver, target: str) -> str:
    """The ``traceparent`` of the span of the attempt at ``target``."""
    (span,) = [
        span
        for span in receiver.spans()
        if plain(span.attributes).get("mlo.attempt") and plain(span.attributes)["mlo.target"] == target
    ]
    return f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"


async def test_each_attempt_sends_its_own_span(receiver: Receiver) -> None:
    with serving(refuse) as one, serving(answer) as two:
        async with routing(receiver.url, {"a": backend(one), "b": backend(two)}) as router:
            await router.route("x", route="r")
        assert sent(one) == [header(receiver, "a")]
        assert sent(two) == [header(receiver, "b")]
    assert sent(one) != sent(two)


async def test_each_contestant_of_a_race_sends_its_own_span(receiver: Receiver) -> None:
    release = threading.Event()

    def slowly(request: Received) -> list[object]:
        release.wait(5)
        return answer(request)

    racing = ComponentSettings(use="hedged", options={"stagger": 0.05})
    with serving(slowly) as one, serving(answer) as two:
        providers = {"a": backend(one), "b": backend(two)}
        route = {"r": {"targets": ("a", "b"), "strategy": racing}}
        async with routing(receiver.url, providers, route) as router:
            await router.route("x", route="r")
            release.set()
        assert sent(one) == [header(receiver, "a")]
        assert sent(two) == [header(receiver, "b")]


async def test_calls_side_by_side_do_not_mix(receiver: Receiver) -> None:
    with serving(answer) as one, serving(answer) as two:
        routes = {"ra": {"targets": ("a",)}, "rb": {"targets": ("b",)}}
        async with routing(receiver.url, {"a": backend(one), "b": backend(two)}, routes) as router:

            async def ask(route: str) -> None:
                for _ in range(5):
                    await router.route("x", route=route)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, "ra")
                tasks.start_soon(ask, "rb")
        spans = [span for span in receiver.spans() if span.name.startswith("chat")]
        for server, target in ((one, "a"), (two, "b")):
            own = {
                f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
                for span in spans
                if plain(span.attributes)["mlo.target"] == target
            }
            assert set(sent(server)) == own
            assert len(own) == 5


async def test_nothing_leaks_to_what_the_task_does_next(receiver: Receiver) -> None:
    with serving(answer) as one, serving(refuse) as two, serving(lambda _: [whole(b"{}")]) as other:
        async with (
            routing(receiver.url, {"a": backend(one), "b": backend(two)}) as router,
            HttpClient(other.url) as own,
        ):
            await router.route("x", target="a")
            await own.request("GET", "/1")
            with pytest.raises(MloError):
                await router.route("x", target="b")
            await own.request("GET", "/2")
        assert sent(other) == [None, None]
    assert tracing.outgoing.get() is tracing.NO_HEADERS


async def test_the_reader_of_a_stream_may_do_other_things_meanwhile(receiver: Receiver) -> None:
    with serving(speak) as one, serving(lambda _: [whole(b"{}")]) as other:
        async with routing(receiver.url, {"a": backend(one)}) as router, HttpClient(other.url) as own:
            async with router.route_stream("x", route="r") as stream:
                async for _ in stream:
                    await own.request("GET", "/")
        assert set(sent(other)) == {None}
        assert sent(one) == [header(receiver, "a")]


async def test_a_stream_may_be_begun_in_one_task_and_ended_in_another(receiver: Receiver) -> None:
    with serving(speak) as one, serving(lambda _: [whole(b"{}")]) as other:
        async with routing(receiver.url, {"a": backend(one)}) as router, HttpClient(other.url) as own:
            stream = router.route_stream("x", route="r")

            async def begin() -> None:
                await anext(stream)
                await own.request("GET", "/")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(begin)
            _ = [event async for event in stream]
            await own.request("GET", "/")
        assert sent(other) == [None, None]
    assert receiver.span("chat").name == "chat"


async def test_a_route_inside_a_route_sends_the_innermost_attempt(receiver: Receiver) -> None:
    routes = {"outer": {"targets": ("route:inner",)}, "inner": {"targets": ("a",)}}
    with serving(answer) as one:
        async with routing(receiver.url, {"a": backend(one)}, routes) as router:
            await router.route("x", route="outer")
        assert sent(one) == [header(receiver, "a")]


async def test_two_observers_that_trace_leave_nothing_behind(receiver: Receiver) -> None:
    second = {"again": {"use": "otel", "endpoint": receiver.url}}
    with serving(answer) as one, serving(lambda _: [whole(b"{}")]) as other:
        async with (
            routing(receiver.url, {"a": backend(one)}, observers=second) as router,
            HttpClient(other.url) as own,
        ):
            await router.route("x", route="r")
            await own.request("GET", "/")
        assert sent(other) == [None]
    assert tracing.outgoing.get() is tracing.NO_HEADERS


async def test_a_component_does_not_inherit_the_attempt_that_opens_it(receiver: Receiver) -> None:
    seen: list[object] = []

    with serving(answer) as one:
        async with routing(receiver.url, {"a": backend(one)}) as router:
            kernel: Any = router._kernel
            opened = kernel.wiring.instance("a", "test").component
            original = opened._open

            def look() -> Any:
                seen.append(tracing.outgoing.get())
                return original()

            opened._open = look
            await router.route("x", route="r")
    assert seen == [tracing.NO_HEADERS]


async def test_propagation_may_be_switched_off(receiver: Receiver) -> None:
    with serving(answer) as one:
        async with routing(receiver.url, {"a": backend(one)}, propagate=False) as router:
            await router.route("x", route="r")
        assert sent(one) == [None]
    assert receiver.spans()


async def test_tracestate_goes_along_and_an_unsampled_trace_stays_so(receiver: Receiver) -> None:
    metadata = {"traceparent": f"00-{TRACE}-{SPAN}-00", "tracestate": "vendor=1"}
    with serving(answer) as one:
        async with routing(receiver.url, {"a": backend(one)}) as router:
            await router.route(ChatRequest(messages=ChatRequest.of("x").messages, metadata=metadata), route="r")
        (headers,) = [request.headers for request in one.requests]
    assert headers["traceparent"].startswith(f"00-{TRACE}-")
    assert headers["traceparent"].endswith("-00")
    assert headers["tracestate"] == "vendor=1"


async def test_a_header_of_the_request_goes_first() -> None:
    with serving(lambda _: [whole(b"{}")]) as other:
        token = tracing.outgoing.set({"traceparent": "theirs", "x-other": "1"})
        try:
            async with HttpClient(other.url, headers={"Traceparent": "ours"}) as own:
                await own.request("GET", "/")
            async with HttpClient(other.url) as own, own.stream("GET", "/", headers={"X-Other": "2"}) as reply:
                await reply.aclose()
        finally:
            tracing.outgoing.reset(token)
        first, second = (request.headers for request in other.requests)
    assert (first["traceparent"], first["x-other"]) == ("ours", "1")
    assert (second["traceparent"], second["x-other"]) == ("theirs", "2")


@pytest.mark.parametrize("stream", [False, True])
async def test_bytes_that_pass_through_carry_it_too(receiver: Receiver, stream: bool) -> None:
    document = {"messages": [{"role": "user", "content": "x"}], "stream": stream, "marker": "as it came"}
    chat = ChatRequest.of("x")
    request = RelayRequest(
        wire="openai.chat", raw=json.dumps(document).encode(), document=document, chat=chat, stream=stream
    )
    with serving(speak if stream else answer) as one, serving(lambda _: [whole(b"{}")]) as other:
        async with routing(receiver.url, {"a": backend(one)}) as router, HttpClient(other.url) as own:
            async with router.relay(request, route="r") as relayed:
                await own.request("GET", "/meanwhile")
                if isinstance(relayed, RelayedStream):
                    _ = [piece async for piece in relayed]
            await own.request("GET", "/after")
        assert sent(one) == [header(receiver, "a")]
        assert sent(other) == [None, None]
        assert b"as it came" in one.requests[0].body
    assert tracing.outgoing.get() is tracing.NO_HEADERS
