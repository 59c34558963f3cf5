"""Calls and attempts under way, and their spans."""

from __future__ import annotations

from time import perf_counter

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind

from mlo import records
from mlo.routing import Request

from .aggregates import Labels
from .attributes import (
    Attributes,
    attempt_attributes,
    call_attributes,
    clean,
    decision_attributes,
    operation_of,
    outcome_attributes,
    sampling_attributes,
    step_attributes,
    summary,
)
from .metrics import attempt_labels
from .semconv import Gen, Mlo
from .spans import LiveSpan, SpanSource

__all__ = ["AttemptSpan", "CallSpans"]

_ROUTE = "route"  # what the kernel calls the plugin of an attempt that is a route inside a route


class AttemptSpan:
    """One attempt. ``is_route`` marks one that is a route itself: it is no call of a model, and counts nothing."""

    __slots__ = ("is_route", "labels", "last_chunk", "model", "name", "operation", "span", "spoke")

    def __init__(
        self, source: SpanSource, record: records.AttemptStarted, call: CallSpans, name: str, request: Request | None
    ) -> None:
        self.is_route = record.plugin == _ROUTE
        self.last_chunk = 0.0
        self.spoke = False
        self.operation = call.operation
        self.name = name
        self.model = record.model
        self.labels = attempt_labels(call.operation, name, record.model)
        said = attempt_attributes(record)
        if self.is_route:
            self.span = source.child(f"attempt {record.target}", call.span, clean(said))
            return
        said[Gen.OPERATION] = call.operation
        said[Gen.PROVIDER] = name
        title = call.operation
        if record.model is not None:
            said[Gen.REQUEST_MODEL] = record.model
            title = f"{title} {record.model}"
        if call.is_stream:
            said[Gen.REQUEST_STREAM] = True
        if request is not None:
            said |= sampling_attributes(request)
        self.span = source.child(title, call.span, clean(said), SpanKind.CLIENT)

    def outcome_labels(self, model: str | None = None, error: str | None = None) -> Labels:
        """``labels`` with what only the end tells: the model that answered, or the kind of failure."""
        return attempt_labels(self.operation, self.name, self.model, model, error)

    def end(self, attributes: Attributes, error: Exception | None = None) -> None:
        """It is over."""
        self.span.attributes |= clean(attributes)
        self.span.end(None if error is None else summary(error))

    def commit(self, elapsed: float) -> None:
        """Its stream has begun, ``elapsed`` seconds after the attempt."""
        self.last_chunk = perf_counter()
        self.span.attributes[Gen.FIRST_CHUNK] = elapsed

    def gap(self) -> float | None:
        """Seconds since the chunk before; ``None`` for the first one."""
        now = perf_counter()
        gap, self.last_chunk = now - self.last_chunk, now
        first, self.spoke = not self.spoke, True
        return None if first else gap


class CallSpans:
    """One call: the span of the request, if it is the outermost call, and that of the route.

    ``attempts`` are those under way by their number, ``committed`` is the one whose stream is being read.
    """

    __slots__ = ("attempts", "committed", "is_stream", "operation", "record", "request", "route", "span")

    def __init__(self, source: SpanSource, record: records.CallStarted, around: Context | LiveSpan) -> None:
        self.record = record
        self.operation = operation_of(record.operation)
        self.is_stream = record.operation == "stream"
        self.attempts: dict[int, AttemptSpan] = {}
        self.committed: AttemptSpan | None = None
        self.request: LiveSpan | None = None
        self.route: LiveSpan | None = None
        if isinstance(around, LiveSpan):
            self.route = self.span = self._route_below(source, around)
        else:
            self.request = self.span = source.root(Mlo.REQUEST, around, clean(call_attributes(record)))

    def decided(self, source: SpanSource, record: records.RouteDecided) -> None:
        """Who may answer is settled."""
        if self.route is None:
            self.route = self.span = self._route_below(source, self.span)
        if self.span.is_sampled:
            self.span.attributes[Mlo.STRATEGY] = record.strategy
            self.span.event(Mlo.DECIDED, clean(decision_attributes(record)))

    def chose(self, record: records.StepChosen) -> None:
        """The strategy chose; where it took one target without a doubt, the attempt itself tells that."""
        says_more = len(record.targets) > 1 or record.scores or record.probability not in {None, 1.0}
        if says_more and self.span.is_sampled:
            self.span.event(Mlo.CHOSEN, clean(step_attributes(record)))

    def end(self, record: records.CallFinished) -> None:
        """It is over. Attempts that nobody ended are ended here: a span that stays open is never sent."""
        for attempt in list(self.attempts.values()):
            attempt.span.end()
        error = None if record.error is None else summary(record.error)
        said = clean(outcome_attributes(record))
        outermost = self.request or self.route
        if outermost is not None:
            outermost.attributes |= said
        for span in (self.route, self.request):
            if span is not None:
                span.end(error)

    def abandon(self) -> None:
        """Nobody will tell how it ended."""
        for attempt in list(self.attempts.values()):
            attempt.span.end()
        for span in (self.route, self.request):
            if span is not None:
                span.end()

    def _route_below(self, source: SpanSource, above: LiveSpan) -> LiveSpan:
        name = self.record.route
        said: Attributes = {Mlo.ROUTE: name}
        if self.request is None:
            said |= {Mlo.CALL_ID: self.record.call_id, Mlo.OPERATION: self.record.operation}
        return source.child(f"route {name}", above, clean(said))
