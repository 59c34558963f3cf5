"""OpenTelemetry's own machinery, put together for one observer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from time import monotonic
from typing import TypedDict

from attrs import frozen
from opentelemetry._logs import Logger, set_logger_provider
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import set_tracer_provider

from .aggregates import Registry
from .config import OtelConfig
from .delivery import Losses, Outbox, Ticker
from .semconv import Table
from .spans import SpanSource

__all__ = ["Machinery", "machinery"]

_SCOPE = "mlo_otel"
_LEAST = 0.05  # seconds for a last word, whatever the time


class _Spans(SpanProcessor):
    """Puts spans that have ended into the outbox."""

    def __init__(self, outbox: Outbox[ReadableSpan]) -> None:
        self._outbox = outbox

    def on_end(self, span: ReadableSpan) -> None:
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self._outbox.put(span)


class _Events(LogRecordProcessor):
    """The same for events."""

    def __init__(self, outbox: Outbox[ReadableLogRecord]) -> None:
        self._outbox = outbox

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self._outbox.put(
            ReadableLogRecord(
                log_record=log_record.log_record,
                resource=log_record.resource or Resource.get_empty(),
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        pass

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        del timeout_millis
        return True


@frozen(kw_only=True)
class Machinery:
    """What one observer records into; what is not exported goes nowhere.

    ``providers`` are the SDK's, for the rest of the process; only there if they are to be global.
    """

    losses: Losses
    source: SpanSource
    registry: Registry
    ticker: Ticker | None = None
    logger: Logger | None = None
    spans: Outbox[ReadableSpan] | None = None
    events: Outbox[ReadableLogRecord] | None = None
    exporters: Sequence[SpanExporter | LogRecordExporter | MetricExporter] = ()
    meters: MeterProvider | None = None

    def close(self, timeout: float) -> None:
        """Send what waits, for ``timeout`` seconds at most."""
        until = monotonic() + timeout
        outboxes = [outbox for outbox in (self.spans, self.events) if outbox is not None]
        for outbox in outboxes:
            outbox.stop()
        for outbox in outboxes:
            outbox.join(max(0.0, until - monotonic()))
        # metrics last: they tell of the losses
        if self.ticker is not None:
            self.ticker.stop(max(_LEAST, until - monotonic()))
        if self.meters is not None:
            self.meters.shutdown(timeout_millis=max(_LEAST, until - monotonic()) * 1000)
        for exporter in self.exporters:
            exporter.shutdown()


class _Options(TypedDict):
    """What the three exporters share."""

    headers: Mapping[str, str] | None
    timeout: float | None
    compression: Compression | None
    certificate_file: str | None


def machinery(config: OtelConfig, name: str, release: str, table: Table) -> Machinery:
    """Everything that sends, for the observer called ``name``."""
    losses = Losses(name)
    resource = Resource.create(_described(config))
    scope = InstrumentationScope(_SCOPE, release, table.schema)
    options = _options(config)
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    registry = Registry(resource, scope)
    ticker, meters, loggers, spans, events = None, None, None, None, None
    exporters: list[SpanExporter | LogRecordExporter | MetricExporter] = []
    if config.traces:
        span_exporter = OTLPSpanExporter(endpoint=_address(config, "traces"), **options)
        spans = _span_outbox(config, span_exporter, losses)
        exporters.append(span_exporter)
    if config.events:
        log_exporter = OTLPLogExporter(endpoint=_address(config, "logs"), **options)
        events = _event_outbox(config, log_exporter, losses)
        loggers = LoggerProvider(resource, shutdown_on_exit=False)
        loggers.add_log_record_processor(_Events(events))
        exporters.append(log_exporter)
    if config.metrics:
        metric_exporter = OTLPMetricExporter(endpoint=_address(config, "metrics"), **options)
        ticker = Ticker(partial(_send_metrics, metric_exporter, registry), config.interval)
        exporters.append(metric_exporter)
    if config.set_global:
        meters = _made_global(config, options, tracers, spans, loggers)
    return Machinery(
        losses=losses,
        source=SpanSource(tracers, scope, None if spans is None else spans.put),
        registry=registry,
        ticker=ticker,
        logger=None if loggers is None else loggers.get_logger(_SCOPE, release, table.schema),
        spans=spans,
        events=events,
        exporters=tuple(exporters),
        meters=meters,
    )


def _send_metrics(exporter: MetricExporter, registry: Registry) -> None:
    data = registry.data()
    if data is not None:
        exporter.export(data)


def _span_outbox(config: OtelConfig, exporter: SpanExporter, losses: Losses) -> Outbox[ReadableSpan]:
    def send(batch: Sequence[ReadableSpan]) -> bool:
        return exporter.export(batch) is SpanExportResult.SUCCESS

    return Outbox("spans", send, losses, limit=config.queue, batch=config.batch, delay=config.delay)


def _event_outbox(config: OtelConfig, exporter: LogRecordExporter, losses: Losses) -> Outbox[ReadableLogRecord]:
    def send(batch: Sequence[ReadableLogRecord]) -> bool:
        return exporter.export(batch) is LogRecordExportResult.SUCCESS

    return Outbox("events", send, losses, limit=config.queue, batch=config.batch, delay=config.delay)


def _address(config: OtelConfig, signal: str) -> str | None:
    """``None`` leaves the choice to the standard variables."""
    return None if config.endpoint is None else f"{config.endpoint.rstrip('/')}/v1/{signal}"


def _options(config: OtelConfig) -> _Options:
    return {
        "headers": {name: value.reveal() for name, value in config.headers.items()} or None,
        "timeout": config.timeout,
        "compression": None if config.compression is None else Compression(config.compression),
        "certificate_file": config.certificate,
    }


def _described(config: OtelConfig) -> dict[str, str]:
    said = dict(config.resource)
    if config.service is not None:
        said["service.name"] = config.service
    return said


def _made_global(
    config: OtelConfig,
    options: _Options,
    tracers: TracerProvider,
    spans: Outbox[ReadableSpan] | None,
    loggers: LoggerProvider | None,
) -> MeterProvider:
    """Other libraries' spans and events go through our queues; their metrics have a reader of their own."""
    if spans is not None:
        tracers.add_span_processor(_Spans(spans))
    exporter = OTLPMetricExporter(endpoint=_address(config, "metrics"), **options)
    readers = [PeriodicExportingMetricReader(exporter, config.interval * 1000)] if config.metrics else []
    meters = MeterProvider(readers, tracers.resource, shutdown_on_exit=False)
    set_tracer_provider(tracers)
    set_meter_provider(meters)
    if loggers is not None:
        set_logger_provider(loggers)
    return meters
