"""Calls and attempts under way, and their spans."""

from __future__ import annotations

from time import perf_counter

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.util.types import AttributeValue

from mlo import records
from mlo.routing import Request

from .attributes import (
    Attributes,
    attempt_attributes,
    call_attributes,
    decision_attributes,
    error_attributes,
    operation_of,
    outcome_attributes,
    sampling_attributes,
    step_attributes,
    summary,
)
from .semconv import Gen, Mlo

__all__ = ["AttemptSpan", "CallSpans"]

_ROUTE = "route"  # what the kernel calls the plugin of an attempt that is a route inside a route


class AttemptSpan:
    """One attempt. ``labels`` are the attributes of its metrics; ``is_route`` marks one that is a route itself."""

    __slots__ = ("attributes", "context", "is_route", "labels", "last_chunk", "span", "spoke")

    def __init__(
        self, tracer: Tracer, record: records.AttemptStarted, call: CallSpans, name: str, request: Request | None
    ) -> None:
        self.is_route = record.plugin == _ROUTE
        self.last_chunk = perf_counter()
        self.spoke = False
        self.labels: dict[str, AttributeValue] = {}
        own = attempt_attributes(record)
        if self.is_route:
            self.attributes: Attributes = own
            self.span = tracer.start_span(f"attempt {record.target}", call.context, attributes=own)
        else:
            self.labels = {Gen.OPERATION: call.operation, Gen.PROVIDER: name}
            if record.model is not None:
                self.labels[Gen.REQUEST_MODEL] = record.model
            self.attributes = {**own, **sampling_attributes(request), Gen.OPERATION: call.operation, Gen.PROVIDER: name}
            if record.model is not None:
                self.attributes[Gen.REQUEST_MODEL] = record.model
            if call.is_stream:
                self.attributes[Gen.REQUEST_STREAM] = True
            title = call.operation if record.model is None else f"{call.operation} {record.model}"
            self.span = tracer.start_span(title, call.context, SpanKind.CLIENT, self.attributes)
        self.context = set_span_in_context(self.span, call.context)

    def end(self, attributes: Attributes, error: Exception | None) -> None:
        """It is over."""
        self.attributes |= attributes
        _end(self.span, attributes, error)

    def gap(self) -> float | None:
        """Seconds since the chunk before; ``None`` for the first one."""
        now = perf_counter()
        gap, self.last_chunk = now - self.last_chunk, now
        first, self.spoke = not self.spoke, True
        return None if first else gap


class CallSpans:
    """One call: the span of the request, if it is the outermost call, and that of the route.

    ``context`` is where attempts belong, ``attempts`` are those under way by their number.
    """

    __slots__ = ("attempts", "committed", "context", "is_stream", "operation", "outer", "record", "request", "route")

    def __init__(self, tracer: Tracer, record: records.CallStarted, parent: Context, *, outermost: bool) -> None:
        self.record = record
        self.operation = operation_of(record.operation)
        self.is_stream = record.operation == "stream"
        self.attempts: dict[int, AttemptSpan] = {}
        self.committed: AttemptSpan | None = None
        self.request: Span | None = None
        self.route: Span | None = None
        self.outer = self.context = parent
        if outermost:
            self.request = tracer.start_span(Mlo.REQUEST, parent, attributes=call_attributes(record))
            self.outer = self.context = set_span_in_context(self.request, parent)
        else:
            self._begin_route(tracer)

    @property
    def span(self) -> Span:
        """The innermost of its spans."""
        span = self.route or self.request
        assert span is not None  # noqa: S101 - one of the two is there from the beginning
        return span

    def decided(self, tracer: Tracer, record: records.RouteDecided) -> None:
        """Who may answer is settled."""
        if self.route is None:
            self._begin_route(tracer)
        if self.span.is_recording():
            self.span.set_attribute(Mlo.STRATEGY, record.strategy)
            self.span.add_event(Mlo.DECIDED, decision_attributes(record))

    def chose(self, record: records.StepChosen) -> None:
        """The strategy chose."""
        if self.span.is_recording():
            self.span.add_event(Mlo.CHOSEN, step_attributes(record))

    def end(self, record: records.CallFinished) -> None:
        """It is over. Attempts that nobody ended are ended here: a span that stays open is never sent."""
        for attempt in list(self.attempts.values()):
            attempt.span.end()
        said = outcome_attributes(record)
        for span in (self.route, self.request):
            if span is not None:
                _end(span, said, record.error)

    def _begin_route(self, tracer: Tracer) -> None:
        name = self.record.route
        attributes: Attributes = {Mlo.ROUTE: name, Mlo.CALL_ID: self.record.call_id}
        self.route = tracer.start_span(f"route {name}", self.outer, attributes=attributes)
        self.context = set_span_in_context(self.route, self.outer)


def _end(span: Span, attributes: Attributes, error: Exception | None) -> None:
    if span.is_recording():
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, summary(error)))
            attributes = {**attributes, **error_attributes(error)}
        span.set_attributes(attributes)
    span.end()
