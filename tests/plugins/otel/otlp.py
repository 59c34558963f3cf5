"""An OTLP/HTTP receiver on a real socket, read with the official messages, and routers that report to it."""

from __future__ import annotations

import gzip
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import mlo_log.plugin
import mlo_mock.plugin
import mlo_openai_compat.plugin
import mlo_otel.plugin
import mlo_routing.plugin
import mlo_sdk.auth.plugin
from mlo import Router, _builtin
from mlo._registry import PluginRegistry
from mlo.settings import ComponentSettings, ProviderSettings, RouteSettings, Settings


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent. ``status`` is what it answers; ``gate`` holds answers back until it is set."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[tuple[str, Mapping[str, str], bytes]] = []
        self.status = 200
        self.gate = threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def raw(self) -> bytes:
        """All bodies, one after the other: texts stand in them as they are."""
        return b"".join(body for _, _, body in self.bodies)

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self._of("/v1/traces")]
        scopes = [scope for each in requests for resource in each.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def span(self, name: str) -> Span:
        """The only one of that name."""
        (found,) = [span for span in self.spans() if span.name == name]
        return found

    def metrics(self) -> dict[str, Metric]:
        """The last state of each."""
        requests = [ExportMetricsServiceRequest.FromString(body) for body in self._of("/v1/metrics")]
        scopes = [scope for each in requests for resource in each.resource_metrics for scope in resource.scope_metrics]
        return {metric.name: metric for scope in scopes for metric in scope.metrics}

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        requests = [ExportLogsServiceRequest.FromString(body) for body in self._of("/v1/logs")]
        scopes = [scope for each in requests for resource in each.resource_logs for scope in resource.scope_logs]
        return [(record.event_name, plain(record.attributes)) for scope in scopes for record in scope.log_records]

    def resource(self) -> dict[str, Any]:
        request = ExportTraceServiceRequest.FromString(self._of("/v1/traces")[0])
        return plain(request.resource_spans[0].resource.attributes)

    def _of(self, path: str) -> list[bytes]:
        return [body for where, _, body in self.bodies if where == path]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.gate.wait()
        if self.server.status == 200:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.bodies.append((self.path, headers, body))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver until the block is left."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.gate.set()
            receiver.shutdown()
            thread.join()


def plain(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    """Attributes as Python values."""
    return {each.key: _value(each.value) for each in attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return plain(value.kvlist_value.values)
    return None if kind is None else getattr(value, kind)


@asynccontextmanager
async def routing(
    endpoint: str,
    providers: Mapping[str, Mapping[str, Any]],
    routes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    capture: bool = False,
    observers: Mapping[str, Mapping[str, Any]] | None = None,
    endpoint_from_env: bool = False,
    more_plugins: Sequence[object] = (),
    **options: Any,
) -> AsyncIterator[Router]:
    """A router that reports to ``endpoint``. ``providers`` are tables (``use`` is ``mock`` unless they say)."""
    made = {name: _provider(name, table) for name, table in providers.items()}
    where = {} if endpoint_from_env else {"endpoint": endpoint}
    watching = {"otel": {"use": "otel", "service": "gateway", **where, **options}, **(observers or {})}
    settings = Settings(
        capture="content" if capture else "none",
        providers=made,
        routes={
            name: RouteSettings(**table) for name, table in (routes or {"r": {"targets": tuple(providers)}}).items()
        },
        observers={
            name: ComponentSettings(
                use=table["use"],
                options={key: value for key, value in table.items() if key != "use"},
                path=f"observers.{name}",
            )
            for name, table in watching.items()
        },
    )
    plugins = [
        _builtin,
        mlo_mock.plugin,
        mlo_openai_compat.plugin,
        mlo_routing.plugin,
        mlo_sdk.auth.plugin,
        mlo_otel.plugin,
        mlo_log.plugin,
        *more_plugins,
    ]
    async with Router(settings, plugins=plugins, registry=PluginRegistry(candidates=())) as router:
        yield router


def _provider(name: str, table: Mapping[str, Any]) -> ProviderSettings:
    options = {key: value for key, value in table.items() if key not in {"use", "price", "capabilities"}}
    return ProviderSettings(
        use=table.get("use", "mock"),
        options=options,
        path=f"providers.{name}",
        price=table.get("price"),
        capabilities=table.get("capabilities"),
    )
