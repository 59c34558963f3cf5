"""The tree of spans that a call leaves behind, read from the wire."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import mlo_otel
from mlo import ChatRequest, MloError, tracing
from mlo.messages import ToolDef
from mlo.models import Capability
from mlo.requests import EmbeddingRequest
from mlo.settings import ComponentSettings
from tests.plugins.otel.otlp import Receiver, plain, receiving, routing

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def parents(spans: list[Span]) -> dict[str, str | None]:
    names = {span.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent_span_id) for span in spans}


async def test_a_request_holds_a_route_that_holds_an_attempt(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}) as router:
        await router.route("Привет", route="r")
    spans = receiver.spans()
    assert parents(spans) == {"mlo.request": None, "route r": "mlo.request", "chat": "route r"}
    assert len({span.trace_id for span in spans}) == 1
    assert [span.kind for span in spans if span.name == "chat"] == [Span.SPAN_KIND_CLIENT]
    said = plain(receiver.span("chat").attributes)
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "mock",
        "gen_ai.response.model": said["gen_ai.response.model"],
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": said["gen_ai.usage.input_tokens"],
        "gen_ai.usage.output_tokens": said["gen_ai.usage.output_tokens"],
        "mlo.usage.source": said["mlo.usage.source"],
        "mlo.target": "a",
        "mlo.instance": "a",
        "mlo.attempt": 1,
        "mlo.residency.on_prem": True,
        "mlo.residency.stores_prompts": False,
    }


async def test_the_model_asked_for_is_in_the_name(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}, {"r": {"targets": ("a:m-1",)}}) as router:
        await router.route("x", route="r")
    assert plain(receiver.span("chat m-1").attributes)["gen_ai.request.model"] == "m-1"


async def test_a_failed_attempt_is_an_error_beside_the_one_that_answered(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {"mode": "overloaded"}, "b": {}}) as router:
        await router.route("x", route="r")
    failed, answered = sorted((s for s in receiver.spans() if s.name == "chat"), key=lambda s: s.start_time_unix_nano)
    assert (failed.status.code, failed.status.message) == (
        Status.STATUS_CODE_ERROR,
        "Overloaded [HTTP 503, code overloaded]",
    )
    said = plain(failed.attributes)
    assert (said["error.type"], said["http.response.status_code"]) == ("Overloaded", 503)
    assert answered.status.code == Status.STATUS_CODE_UNSET
    route = receiver.span("route r")
    assert route.status.code == Status.STATUS_CODE_UNSET
    assert {plain(failed.attributes)["mlo.attempt"], plain(answered.attributes)["mlo.attempt"]} == {1, 2}


async def test_a_call_that_fails_is_an_error_all_the_way_up(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {"mode": "invalid-request"}}) as router:
        with pytest.raises(MloError):
            await router.route("x", route="r")
    assert {span.status.code for span in receiver.spans()} == {Status.STATUS_CODE_ERROR}
    assert plain(receiver.span("mlo.request").attributes)["mlo.status"] == "error"


async def test_the_route_tells_who_could_answer_and_who_could_not(receiver: Receiver) -> None:
    deaf = {"capabilities": frozenset({Capability.CHAT})}
    async with routing(receiver.url, {"a": deaf, "b": {}}) as router:
        await router.route(ChatRequest(messages=ChatRequest.of("x").messages, tools=(ToolDef(name="t"),)), route="r")
    route = receiver.span("route r")
    assert plain(route.attributes)["mlo.strategy"] == "first-available"
    (decided,) = route.events
    assert plain(decided.attributes) == {
        "mlo.route.candidates": ["b"],
        "mlo.route.rejected": ["a: lacks tools"],
    }


async def test_a_route_inside_a_route_hangs_below_its_attempt(receiver: Receiver) -> None:
    routes: dict[str, dict[str, Any]] = {"outer": {"targets": ("route:inner", "b")}, "inner": {"targets": ("a",)}}
    async with routing(receiver.url, {"a": {}, "b": {}}, routes) as router:
        await router.route("x", route="outer")
    assert parents(receiver.spans()) == {
        "mlo.request": None,
        "route outer": "mlo.request",
        "attempt route:inner": "route outer",
        "route inner": "attempt route:inner",
        "chat": "route inner",
    }
    inner = receiver.span("attempt route:inner")
    assert inner.kind == Span.SPAN_KIND_INTERNAL
    assert not [name for name in plain(inner.attributes) if name.startswith("gen_ai.")]


async def test_routes_inside_a_race_hang_below_their_own_attempts(receiver: Receiver) -> None:
    racing = ComponentSettings(use="hedged", options={"stagger": 0.001})
    routes: dict[str, dict[str, Any]] = {
        "outer": {"targets": ("route:slow", "route:fast"), "strategy": racing},
        "slow": {"targets": ("slow",)},
        "fast": {"targets": ("fast",)},
    }
    async with routing(receiver.url, {"slow": {"delay": 5}, "fast": {"delay": 0.02}}, routes) as router:
        await router.route("x", route="outer")
    spans = receiver.spans()
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        if span.name.startswith("route ") and span.name != "route outer":
            assert by_id[span.parent_span_id].name == f"attempt {span.name.replace(' ', ':')}"
    slow = plain(receiver.span("attempt route:slow").attributes)
    assert slow["mlo.cancelled"] is True
    (chosen,) = [event for event in receiver.span("route outer").events if event.name == "mlo.step.chosen"]
    assert plain(chosen.attributes)["mlo.step.targets"] == ["route:slow", "route:fast"]


async def test_a_stream_tells_its_first_chunk(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}) as router, router.route_stream("a b c", route="r") as stream:
        events = [event async for event in stream]
    said = plain(receiver.span("chat").attributes)
    assert said["gen_ai.request.stream"] is True
    assert 0 < said["gen_ai.response.time_to_first_chunk"] < 20
    deltas = sum(type(event).__name__ == "TextDelta" for event in events)
    metrics = receiver.metrics()
    (first,) = metrics["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points
    (gaps,) = metrics["gen_ai.client.operation.time_per_output_chunk"].histogram.data_points
    assert (first.count, gaps.count) == (1, deltas - 1)


async def test_an_abandoned_stream_leaves_no_open_span(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}) as router:
        async with router.route_stream("a b c d", route="r") as stream:
            await anext(stream)
    assert {span.name for span in receiver.spans()} == {"mlo.request", "route r", "chat"}
    assert plain(receiver.span("chat").attributes)["mlo.cancelled"] is True
    assert plain(receiver.span("mlo.request").attributes)["mlo.status"] == "abandoned"


async def test_embeddings_are_called_so(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}) as router:
        await router.embed(EmbeddingRequest(texts=("раз",)), route="r")
    said = plain(receiver.span("embeddings").attributes)
    assert said["gen_ai.operation.name"] == "embeddings"
    assert "gen_ai.usage.output_tokens" not in said


async def test_accounting_keys_are_shown_and_other_metadata_is_not(receiver: Receiver) -> None:
    metadata = {"project": "p-1", "key": "k-1", "organization": "o-1", "request_id": "q-1", "session": "hidden-session"}
    async with routing(receiver.url, {"a": {}}) as router:
        await router.route(ChatRequest(messages=ChatRequest.of("x").messages, metadata=metadata), route="r")
    said = plain(receiver.span("mlo.request").attributes)
    assert {said["mlo.project"], said["mlo.key"], said["mlo.organization"], said["mlo.request.id"]} == {
        "p-1",
        "k-1",
        "o-1",
        "q-1",
    }
    assert b"hidden-session" not in receiver.raw()


async def test_the_trace_of_the_metadata_goes_on(receiver: Receiver) -> None:
    metadata = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
    async with routing(receiver.url, {"a": {}}) as router:
        await router.route(ChatRequest(messages=ChatRequest.of("x").messages, metadata=metadata), route="r")
    request = receiver.span("mlo.request")
    assert (request.trace_id.hex(), request.parent_span_id.hex(), request.trace_state) == (TRACE, SPAN, "vendor=1")


async def test_the_span_that_is_current_goes_first(receiver: Receiver) -> None:
    here = SpanContext(0x11, 0x22, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    token = otel_context.attach(set_span_in_context(NonRecordingSpan(here)))
    try:
        async with routing(receiver.url, {"a": {}}) as router:
            request = ChatRequest(
                messages=ChatRequest.of("x").messages, metadata={"traceparent": f"00-{TRACE}-{SPAN}-01"}
            )
            await router.route(request, route="r")
    finally:
        otel_context.detach(token)
    assert int.from_bytes(receiver.span("mlo.request").trace_id) == 0x11


@pytest.mark.parametrize("value", ["", "00-zz-1-01", f"00-{'0' * 32}-{SPAN}-01", "\ud83d", "00-" + "f" * 500])
async def test_a_broken_traceparent_begins_a_new_trace(receiver: Receiver, value: str) -> None:
    async with routing(receiver.url, {"a": {}}) as router:
        request = ChatRequest(messages=ChatRequest.of("x").messages, metadata={"traceparent": value})
        await router.route(request, route="r")
    request_span = receiver.span("mlo.request")
    assert not request_span.parent_span_id
    assert request_span.trace_id.hex() != TRACE


async def test_a_caller_that_does_not_sample_is_obeyed(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}) as router:
        request = ChatRequest(messages=ChatRequest.of("x").messages, metadata={"traceparent": f"00-{TRACE}-{SPAN}-00"})
        await router.route(request, route="r")
    assert receiver.spans() == []
    assert "gen_ai.client.operation.duration" in receiver.metrics()


async def test_a_lone_surrogate_costs_nobody_a_span(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}) as router:
        request = ChatRequest(messages=ChatRequest.of("x").messages, metadata={"project": "\ud83d"}, model="m\ud83d")
        await router.route(request, route="r")
    assert plain(receiver.span("mlo.request").attributes)["mlo.project"] == "?"
    assert receiver.span("chat m?").name == "chat m?"
    assert "gen_ai.client.operation.duration" in receiver.metrics()


async def test_nothing_is_kept_of_calls_that_are_over(receiver: Receiver) -> None:
    async with routing(receiver.url, {"a": {}}) as router:
        for _ in range(100):
            await router.route("x", route="r")
        observer: Any = await router.observer("otel")
        assert observer._calls == {}
        assert len(tracing.traceparents) <= 64
        assert tracing.outgoing.get() is tracing.NO_HEADERS
    assert not tracing.traceparents


def test_every_name_on_the_wire_stands_in_one_module() -> None:
    strays = {
        (path.name, node.value)
        for path in Path(mlo_otel.__file__).parent.glob("*.py")
        if path.name != "semconv.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if node.value.startswith(("gen_ai.", "mlo.")) and len(node.value.split()) == 1 and len(node.value) > 7
    }
    assert strays == set()
