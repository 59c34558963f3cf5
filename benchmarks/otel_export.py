"""What OpenTelemetry costs per call: CPU time of the calling process, its export threads included.

The spans go over OTLP/HTTP to a sink in a process of its own, which reads and forgets. Side by side in one run: the
mock over the router without an observer, with metrics alone, with spans alone, with both, and with events, too.
Yardstick: OpenTelemetry's own helper for GenAI clients over its SDK and batch processor: one span, to our three.
Goal: at most 300 µs added per call with spans and metrics. Every span must have arrived, or the figure means nothing.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import anyio
from _measure import cpu_of_each, print_table
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.genai.handler import TelemetryHandler

from mlo import ChatRequest, Router
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings

CALLS = 2_000
EVENTS = 5_000
ASK = ChatRequest.of("Привет")
_SINK = """
import http.server, sys
class Sink(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def _sink() -> Iterator[str]:
    process = subprocess.Popen((sys.executable, "-c", _SINK), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def _router(options: dict[str, Any] | None) -> AsyncIterator[Router]:
    mock = ProviderSettings(use="mock", path="providers.mock")
    long = ProviderSettings(use="mock", options={"answer": "слово " * EVENTS}, path="providers.long")
    observers = {} if options is None else {"otel": ComponentSettings(use="otel", options=options)}
    routes = {"default": RouteSettings(targets=("mock",)), "long": RouteSettings(targets=("long",))}
    settings = Settings(providers={"mock": mock, "long": long}, routes=routes, observers=observers)
    async with Router(settings) as router:
        yield router


async def _calls(router: Router) -> int:
    for _ in range(CALLS):
        await router.route(ASK, route="default")
    return CALLS


async def _calls_until_sent(router: Router) -> int:
    """As many calls, and the export of all their spans: what lies in the queue is not yet paid for."""
    observer: Any = await router.observer("otel")
    await _calls(router)
    if observer._parts.spans is not None:  # noqa: SLF001 - to wait for the exporter
        await _until_empty(observer._parts.spans)  # noqa: SLF001
    assert not observer.dropped, observer.dropped
    return CALLS


async def _until_empty(outbox: Any) -> None:
    outbox._wake.set()  # noqa: SLF001 - now, and not when its delay is over
    give_up = time.monotonic() + 30
    while outbox._waiting or outbox._under_way:  # noqa: SLF001
        assert time.monotonic() < give_up, "the sink is too slow"
        await anyio.sleep(0.001)


async def _events(router: Router) -> int:
    async with router.route_stream(ASK, route="long") as stream:
        return len([event async for event in stream])


@contextmanager
def _helper(endpoint: str) -> Iterator[Callable[[], Awaitable[int]]]:
    """As many calls told to the helper, without any router."""
    processor = BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces"), max_queue_size=100_000)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{endpoint}/v1/metrics"))
    tracers, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    tracers.add_span_processor(processor)
    handler = TelemetryHandler(tracers, meters)

    async def tell() -> int:
        for _ in range(CALLS):
            call = handler.inference("mock", request_model="mock")
            call.response_model_name, call.finish_reasons = "mock", ["stop"]
            call.input_tokens, call.output_tokens = 1, 2
            call.stop()
        processor.force_flush()
        return CALLS

    yield tell
    tracers.shutdown()
    meters.shutdown()


async def main() -> None:
    """Measure."""
    with _sink() as endpoint:
        common: dict[str, Any] = {"endpoint": endpoint, "queue": 100_000}
        variants: dict[str, dict[str, Any] | None] = {
            "no observer": None,
            "metrics": {**common, "traces": False},
            "spans": {**common, "metrics": False},
            "spans and metrics": common,
            "spans, metrics and events": {**common, "events": True},
        }
        async with AsyncExitStack() as stack:
            routers = {name: await stack.enter_async_context(_router(each)) for name, each in variants.items()}
            bare, *observed = routers
            subjects: dict[str, Callable[[], Awaitable[int]]] = {bare: partial(_calls, routers[bare])}
            subjects |= {name: partial(_calls_until_sent, routers[name]) for name in observed}
            subjects["the SDK's helper, one span, no router"] = stack.enter_context(_helper(endpoint))
            calls = await cpu_of_each(subjects)
            without = await stack.enter_async_context(_router({**common, "chunks": False}))
            events = await cpu_of_each(
                {
                    "no observer": lambda: _events(routers["no observer"]),
                    "spans and metrics, chunks = false": lambda: _events(without),
                    "spans and metrics": lambda: _events(routers["spans and metrics"]),
                }
            )
    for title, figures in (("one call", calls), ("one event of a stream", events)):
        bare = figures["no observer"]
        rows = [
            (name, f"{cpu * 1e6:.1f}", "" if "no router" in name else f"{(cpu - bare) * 1e6:.1f}")
            for name, cpu in figures.items()
        ]
        print_table(title, ("CPU, µs", "each", "added"), rows)


if __name__ == "__main__":
    anyio.run(main)
