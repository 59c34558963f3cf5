"""Spans while they are open: as little as a span needs, since there are three in each call.

The SDK's own live spans guard against uses that cannot happen here and cost several times as much; what is exported
is the SDK's :class:`~opentelemetry.sdk.trace.ReadableSpan` all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time_ns
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, get_current_span

from .attributes import clean_text

__all__ = ["LiveSpan", "SpanSource"]

_UNSET = Status(StatusCode.UNSET)


class _Resource(Resource):
    """A resource that hashes at once: the encoder hashes it for every span."""

    def __init__(self, resource: Resource) -> None:
        super().__init__(resource.attributes, resource.schema_url)
        self._hashed = hash(resource)

    def __hash__(self) -> int:
        return self._hashed

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Resource) and super().__eq__(other))


class LiveSpan:
    """A span that has begun. ``context`` is its identity; ``attributes`` may be added to until it ends."""

    __slots__ = ("_done", "_events", "_kind", "_name", "_parent", "_source", "_start", "attributes", "context")

    def __init__(
        self,
        source: SpanSource,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: dict[str, Any],
    ) -> None:
        self.context = context
        self.attributes = attributes
        self._source = source
        self._name = clean_text(name)
        self._parent = parent
        self._kind = kind
        self._events: list[Event] = []
        self._done = False
        self._start = time_ns()

    @property
    def is_sampled(self) -> bool:
        """Whether it will be sent; else there is no need to tell it anything."""
        return bool(self.context.trace_flags & TraceFlags.SAMPLED)

    def event(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Something happened meanwhile."""
        self._events.append(Event(name, attributes, time_ns()))

    def end(self, error: str | None = None) -> None:
        """It is over; ``error`` describes a failure. Only the first end counts."""
        if self._done:
            return
        self._done = True
        if not self.is_sampled:
            return
        source = self._source
        source.send(
            ReadableSpan(
                self._name,
                self.context,
                self._parent,
                source.resource,
                self.attributes,
                self._events,
                kind=self._kind,
                status=_UNSET if error is None else Status(StatusCode.ERROR, clean_text(error)),
                start_time=self._start,
                end_time=time_ns(),
                instrumentation_scope=source.scope,
            )
        )


class SpanSource:
    """Begins spans. The sampler (of ``OTEL_TRACES_SAMPLER``) decides once per call: a trace is whole or not at all.

    ``send`` of ``None`` samples nothing.
    """

    def __init__(
        self, provider: TracerProvider, scope: InstrumentationScope, send: Callable[[ReadableSpan], None] | None
    ) -> None:
        self.resource: Resource = _Resource(provider.resource)
        self.scope = scope
        self.send: Callable[[ReadableSpan], object] = (lambda _span: None) if send is None else send
        self._sampler = ALWAYS_OFF if send is None else provider.sampler
        self._ids = provider.id_generator

    def root(self, name: str, around: Context, attributes: dict[str, Any]) -> LiveSpan:
        """The first span of a call, below whatever is current in ``around``."""
        parent = get_current_span(around).get_span_context()
        trace_id = parent.trace_id if parent.is_valid else self._ids.generate_trace_id()
        verdict = self._sampler.should_sample(around, trace_id, name, SpanKind.INTERNAL, attributes)
        flags = TraceFlags.SAMPLED if verdict.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        context = SpanContext(
            trace_id,
            self._ids.generate_span_id(),
            is_remote=False,
            trace_flags=TraceFlags(flags),
            trace_state=verdict.trace_state,
        )
        if verdict.attributes:
            attributes = {**attributes, **verdict.attributes}
        return LiveSpan(self, name, context, parent if parent.is_valid else None, SpanKind.INTERNAL, attributes)

    def child(
        self, name: str, parent: LiveSpan, attributes: dict[str, Any], kind: SpanKind = SpanKind.INTERNAL
    ) -> LiveSpan:
        """A span below one of ours."""
        above = parent.context
        context = SpanContext(
            above.trace_id,
            self._ids.generate_span_id(),
            is_remote=False,
            trace_flags=above.trace_flags,
            trace_state=above.trace_state,
        )
        return LiveSpan(self, name, context, above, kind, attributes)
