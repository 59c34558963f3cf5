"""The same calls told to us and to OpenTelemetry's own GenAI helper: what both know must look the same.

The helper knows no routes, costs or residency, so names of ours (``mlo.…``) are left out; and it fills in what it was
told by hand, so it is told exactly what the records say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.types import Error

from mlo import records
from mlo.responses import FinishReason, Usage
from mlo_otel.config import OtelConfig
from mlo_otel.observer import open_otel
from mlo_sdk.testing import LoneEnvironment
from tests.plugins.otel.otlp import Receiver, plain, receiving

pytestmark = pytest.mark.anyio

USAGE = Usage(prompt_tokens=120, completion_tokens=30, cached_tokens=40, reasoning_tokens=10)
KIND = {Span.SPAN_KIND_CLIENT: "CLIENT", Span.SPAN_KIND_INTERNAL: "INTERNAL"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


class Oracle:
    """OpenTelemetry's helper, its spans and its metrics."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.handler = TelemetryHandler(tracers, self._meters)

    def span(self) -> dict[str, Any]:
        (span,) = self._spans.get_finished_spans()
        return said_by_oracle(span)

    def metrics(self) -> dict[str, Any]:
        data = self._reader.get_metrics_data()
        assert isinstance(data, MetricsData)
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics]
        found: dict[str, Any] = {}
        for metric in (metric for scope in scopes for metric in scope.metrics):
            found[metric.name] = (
                metric.unit,
                sorted(
                    [
                        (sorted((point.attributes or {}).items()), tuple(point.explicit_bounds), point.count)  # type: ignore[union-attr]
                        for point in metric.data.data_points
                    ]
                ),
            )
        self._meters.shutdown()
        return found


def said_by_oracle(span: ReadableSpan) -> dict[str, Any]:
    attributes = {name: list(v) if isinstance(v, tuple) else v for name, v in (span.attributes or {}).items()}
    return {
        "name": span.name,
        "kind": span.kind.name,
        "error": span.status.status_code.name == "ERROR",
        "attributes": attributes,
    }


def said_by_us(span: Span) -> dict[str, Any]:
    attributes = {name: value for name, value in plain(span.attributes).items() if not name.startswith("mlo.")}
    return {"name": span.name, "kind": KIND[span.kind], "error": span.status.code == 2, "attributes": attributes}


def metrics_of_ours(receiver: Receiver) -> dict[str, Any]:
    def points(metric: Metric) -> list[HistogramDataPoint]:
        return list(metric.histogram.data_points)

    return {
        name: (
            metric.unit,
            sorted(
                (sorted(plain(point.attributes).items()), tuple(point.explicit_bounds), point.count)
                for point in points(metric)
            ),
        )
        for name, metric in receiver.metrics().items()
        if not name.startswith("mlo.")
    }


async def told(receiver: Receiver, operation: str, *end: records.Record, model: str | None = "m-1") -> Span:
    """The span of one attempt of which we are told this."""
    config = OtelConfig(endpoint=receiver.url)
    async with open_otel(config, LoneEnvironment(path="observers.otel")) as observer:
        observer.on(records.CallStarted(call_id="c", route="r", operation=operation))  # type: ignore[arg-type]
        observer.on(
            records.AttemptStarted(call_id="c", attempt=1, target="a", model=model, provider="a", plugin="gigachat")
        )
        for record in end:
            observer.on(record)
        observer.on(records.CallFinished(call_id="c", route="r", status="ok", elapsed=1.0, attempts=1))
    (span,) = [span for span in receiver.spans() if span.kind == Span.SPAN_KIND_CLIENT]
    return span


async def test_a_chat(receiver: Receiver) -> None:
    finished = records.AttemptFinished(
        call_id="c", attempt=1, target="a", elapsed=0.5, model="m-1.1", usage=USAGE, finish_reason=FinishReason.STOP
    )
    span = await told(receiver, "chat", finished)
    oracle = Oracle()
    call = oracle.handler.inference("gigachat", request_model="m-1")
    call.response_model_name, call.finish_reasons = "m-1.1", ["stop"]
    call.input_tokens, call.output_tokens = USAGE.prompt_tokens, USAGE.completion_tokens
    call.cache_read_input_tokens, call.thinking_tokens = USAGE.cached_tokens, USAGE.reasoning_tokens
    call.stop()
    assert said_by_us(span) == oracle.span()
    assert metrics_of_ours(receiver) == oracle.metrics()


async def test_a_chat_without_a_model_or_counts(receiver: Receiver) -> None:
    span = await told(
        receiver, "chat", records.AttemptFinished(call_id="c", attempt=1, target="a", elapsed=0.5), model=None
    )
    oracle = Oracle()
    oracle.handler.inference("gigachat").stop()
    assert said_by_us(span) == oracle.span()
    assert metrics_of_ours(receiver) == oracle.metrics()


async def test_a_stream(receiver: Receiver) -> None:
    events = [records.EventSeen(call_id="c", target="a", kind="TextDelta") for _ in range(4)]
    finished = records.AttemptFinished(
        call_id="c", attempt=1, target="a", elapsed=0.5, model="m-1", usage=USAGE, finish_reason=FinishReason.LENGTH
    )
    first = records.FirstEvent(call_id="c", attempt=1, target="a", elapsed=0.1)
    span = await told(receiver, "stream", first, *events, finished)
    oracle = Oracle()
    call = oracle.handler.inference("gigachat", request_model="m-1")
    for _ in range(4):
        call.record_stream_chunk()
    call.response_model_name, call.finish_reasons = "m-1", ["length"]
    call.input_tokens, call.output_tokens = USAGE.prompt_tokens, USAGE.completion_tokens
    call.cache_read_input_tokens, call.thinking_tokens = USAGE.cached_tokens, USAGE.reasoning_tokens
    call.stop()
    ours, theirs = said_by_us(span), oracle.span()
    for said in (ours, theirs):
        assert said["attributes"].pop("gen_ai.response.time_to_first_chunk") > 0
    assert ours == theirs
    assert metrics_of_ours(receiver) == oracle.metrics()


async def test_a_failure(receiver: Receiver) -> None:
    from mlo.errors import RateLimited

    failed = records.AttemptFailed(
        call_id="c", attempt=1, target="a", elapsed=0.5, error=RateLimited("slow", status=429)
    )
    span = await told(receiver, "chat", failed)
    oracle = Oracle()
    oracle.handler.inference("gigachat", request_model="m-1").fail(Error(message="slow", type="RateLimited"))
    ours = said_by_us(span)
    assert ours["attributes"].pop("http.response.status_code") == 429  # we know more
    assert ours == oracle.span()
    assert metrics_of_ours(receiver) == oracle.metrics()


async def test_embeddings(receiver: Receiver) -> None:
    finished = records.AttemptFinished(
        call_id="c", attempt=1, target="a", elapsed=0.5, model="e-1", usage=Usage(prompt_tokens=7, total_tokens=7)
    )
    span = await told(receiver, "embed", finished, model="e-1")
    oracle = Oracle()
    call = oracle.handler.embedding("gigachat", request_model="e-1")
    call.response_model_name, call.input_tokens = "e-1", 7
    call.stop()
    assert said_by_us(span) == oracle.span()
    assert metrics_of_ours(receiver) == oracle.metrics()
