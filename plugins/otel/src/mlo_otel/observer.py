"""The observer: takes records, keeps the spans of what is under way, and records metrics."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

import anyio
from attrs import evolve
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

from mlo import records, tracing
from mlo.api import Environment
from mlo.errors import ConfigError
from mlo.records import Record

from .attributes import clean, error_attributes, failure_attributes, finish_attributes
from .calls import AttemptSpan, CallSpans
from .config import OtelConfig
from .content import answered, as_text, asked
from .context import attempt_here, enter, headers_of, leave, surrounding, traceparent_of
from .exporters import Machinery, machinery
from .metrics import Instruments
from .semconv import Gen, Mlo, Table, chosen
from .spans import LiveSpan

__all__ = ["OtelObserver", "open_otel"]

_KEPT = 64  # finished calls whose trace may still be looked up
_DELTAS = frozenset({"TextDelta", "ReasoningDelta", "ToolCallDelta"})
_ALWAYS: frozenset[type[Record]] = frozenset(
    {
        records.CallStarted,
        records.RouteDecided,
        records.StepChosen,
        records.AttemptStarted,
        records.FirstEvent,
        records.AttemptFailed,
        records.AttemptFinished,
        records.CallFinished,
    }
)


@asynccontextmanager
async def open_otel(config: OtelConfig, environment: Environment) -> AsyncIterator[OtelObserver]:
    """Start the threads that export; leaving sends what waits, for ``close_timeout`` seconds at most.

    Raises:
        ConfigError: for an endpoint that is not an HTTP URL, or numbers that make no sense.
    """
    _check(config, environment.path)
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        config = evolve(config, traces=False, metrics=False, events=False)
    table = chosen(os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", ""))
    parts = await anyio.to_thread.run_sync(machinery, config, environment.instance, _release(), table)
    observer = OtelObserver(config, parts, table)
    try:
        yield observer
    finally:
        observer.close()
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(parts.close, config.close_timeout)


def _check(config: OtelConfig, path: str) -> None:
    if config.endpoint is not None:
        url = urlsplit(config.endpoint)
        if url.scheme not in {"http", "https"} or not url.hostname:
            hint = "the base URL of an OTLP/HTTP receiver, such as http://localhost:4318"
            raise ConfigError(f"{path}.endpoint", "not an HTTP URL", hint=hint)
        if url.username is not None or url.query:
            raise ConfigError(f"{path}.endpoint", "must not hold credentials or a query", hint="use headers")
    for name in ("queue", "batch", "delay", "interval", "close_timeout"):
        if getattr(config, name) <= 0:
            raise ConfigError(f"{path}.{name}", "must be greater than 0")


class OtelObserver:
    """Spans of a request, its route and each attempt; metrics of attempts and calls; events if asked for."""

    def __init__(self, config: OtelConfig, parts: Machinery, table: Table) -> None:
        self._config = config
        self._parts = parts
        self._source = parts.source
        self._instruments = Instruments(parts.registry, table, parts.losses.counts)
        self._calls: dict[str, CallSpans] = {}
        self._finished: deque[str] = deque()
        self._take: Mapping[type[Record], Callable[[Any], None]] = {
            records.CallStarted: self._call_started,
            records.RouteDecided: self._route_decided,
            records.StepChosen: self._step_chosen,
            records.AttemptStarted: self._attempt_started,
            records.FirstEvent: self._first_event,
            records.EventSeen: self._event_seen,
            records.AttemptFailed: self._attempt_failed,
            records.AttemptFinished: self._attempt_finished,
            records.CallFinished: self._call_finished,
        }

    @property
    def wants(self) -> frozenset[type[Record]]:
        """All records of calls; single events of streams only for the time per chunk."""
        counts_chunks = self._config.chunks and self._config.metrics
        return _ALWAYS | {records.EventSeen} if counts_chunks else _ALWAYS

    @property
    def dropped(self) -> Mapping[tuple[str, str], int]:
        """How many spans and events never arrived, by signal and reason."""
        return self._parts.losses.counts()

    @property
    def sent(self) -> int:
        """How many spans have arrived."""
        return 0 if self._parts.spans is None else self._parts.spans.sent

    def on(self, record: Record, /) -> None:
        """Take one record."""
        take = self._take.get(type(record))
        if take is not None:
            take(record)

    def close(self) -> None:
        """End what is still under way, so that it is sent, too."""
        for call_id in [*self._finished, *self._calls]:
            tracing.traceparents.pop(call_id, None)
        for call in self._calls.values():
            call.abandon()
        self._calls.clear()

    def _call_started(self, record: records.CallStarted) -> None:
        call = CallSpans(self._source, record, self._around(record))
        self._calls[record.call_id] = call
        if self._config.traces:
            tracing.traceparents[record.call_id] = traceparent_of(call.span.context)

    def _around(self, record: records.CallStarted) -> Context | LiveSpan:
        """Where a call comes from: for a route inside a route, the attempt that it serves."""
        outer = None if record.parent is None else self._calls.get(record.parent)
        if outer is None:
            return surrounding(record.metadata)
        number = attempt_here(outer.record.call_id)
        attempts = outer.attempts
        attempt = attempts.get(number) if number is not None else next(reversed(attempts.values()), None)
        return outer.span if attempt is None else attempt.span

    def _route_decided(self, record: records.RouteDecided) -> None:
        call = self._calls.get(record.call_id)
        if call is not None:
            call.decided(self._source, record)

    def _step_chosen(self, record: records.StepChosen) -> None:
        call = self._calls.get(record.call_id)
        if call is not None:
            call.chose(record)

    def _attempt_started(self, record: records.AttemptStarted) -> None:
        call = self._calls.get(record.call_id)
        if call is None:
            return
        name = self._config.names.get(record.provider) or record.plugin or record.provider or record.target
        attempt = AttemptSpan(self._source, record, call, name, call.record.request)
        call.attempts[record.attempt] = attempt
        propagates = self._config.propagate and self._config.traces
        headers = headers_of(attempt.span.context) if propagates else None
        enter((record.call_id, record.attempt), headers)

    def _first_event(self, record: records.FirstEvent) -> None:
        leave((record.call_id, record.attempt))
        call = self._calls.get(record.call_id)
        attempt = None if call is None else call.attempts.get(record.attempt)
        if call is None or attempt is None or attempt.is_route:
            return
        call.committed = attempt
        attempt.commit(record.elapsed)
        self._instruments.first_chunk(record.elapsed, attempt.labels)

    def _event_seen(self, record: records.EventSeen) -> None:
        call = self._calls.get(record.call_id)
        attempt = None if call is None else call.committed
        if attempt is None or record.kind not in _DELTAS:
            return
        gap = attempt.gap()
        if gap is not None:
            self._instruments.chunk(gap, attempt.labels)

    def _attempt_failed(self, record: records.AttemptFailed) -> None:
        leave((record.call_id, record.attempt))
        call = self._calls.get(record.call_id)
        attempt = None if call is None else call.attempts.pop(record.attempt, None)
        if call is None or attempt is None:
            return
        if attempt.is_route:
            attempt.end({Mlo.CANCELLED: True} if record.error is None else error_attributes(record.error), record.error)
            return
        kind = "cancelled" if record.error is None else type(record.error).__name__
        if record.reached:
            labels = attempt.outcome_labels(error=kind)
            self._instruments.attempt(call.operation, labels, record.elapsed, record.usage)
        attempt.end(failure_attributes(record, call.operation), record.error)
        self._tell(attempt, {})

    def _attempt_finished(self, record: records.AttemptFinished) -> None:
        leave((record.call_id, record.attempt))
        call = self._calls.get(record.call_id)
        attempt = None if call is None else call.attempts.pop(record.attempt, None)
        if call is None or attempt is None:
            return
        if attempt.is_route:
            attempt.end({})
            return
        labels = attempt.outcome_labels(record.model)
        self._instruments.attempt(call.operation, labels, record.elapsed, record.usage)
        said = finish_attributes(record, call.operation)
        content: dict[str, Any] = {}
        if self._config.content:
            content = {**asked(call.record.request), **answered(record.response)}
            said |= as_text(content)
        attempt.end(said)
        self._tell(attempt, content)

    def _tell(self, attempt: AttemptSpan, content: Mapping[str, Any]) -> None:
        logger = self._parts.logger
        if logger is None or (self._config.traces and not attempt.span.is_sampled):
            return
        known = attempt.span.attributes.items()
        said = {name: value for name, value in known if name.startswith(("gen_ai.", "error.")) and name not in content}
        here = set_span_in_context(NonRecordingSpan(attempt.span.context))
        logger.emit(event_name=Gen.DETAILS, attributes={**said, **clean(content)}, context=here)

    def _call_finished(self, record: records.CallFinished) -> None:
        call = self._calls.pop(record.call_id, None)
        if call is None:
            return
        self._instruments.call(record.elapsed, record.route, call.record.operation, record.status)
        call.end(record)
        self._finished.append(record.call_id)
        if len(self._finished) > _KEPT:
            tracing.traceparents.pop(self._finished.popleft(), None)


def _release() -> str:
    try:
        return version("mlo-otel")
    except PackageNotFoundError:  # run from a source tree
        return ""
