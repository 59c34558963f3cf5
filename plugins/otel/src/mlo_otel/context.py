"""Which trace a call belongs to, and what goes along with its requests: W3C trace context, in and out."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from attrs import frozen
from opentelemetry import context as otel
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mlo import tracing

__all__ = ["attempt_here", "enter", "headers_of", "leave", "surrounding", "traceparent_of"]

_PROPAGATOR = TraceContextTextMapPropagator()


@frozen
class _Scope:
    """What an attempt found when it began. Several observers may trace: the first makes the scope, and any ends it."""

    key: tuple[str, int]
    outgoing: Mapping[str, str]
    outer: _Scope | None


_scope: ContextVar[_Scope | None] = ContextVar("mlo_otel.scope", default=None)


def surrounding(metadata: Mapping[str, str]) -> otel.Context:
    """Where a call comes from: the span that is current, else what the request's metadata say, else nowhere."""
    if get_current_span().get_span_context().is_valid:
        return otel.get_current()
    if "traceparent" in metadata:
        return _PROPAGATOR.extract(metadata, context=otel.Context())
    return otel.Context()


def traceparent_of(context: SpanContext) -> str:
    """The header's value for a span that exists."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def headers_of(context: SpanContext) -> dict[str, str]:
    """The headers by which a server continues the trace; none where tracing is switched off."""
    if not context.is_valid:
        return {}
    headers = {"traceparent": traceparent_of(context)}
    if context.trace_state:
        headers["tracestate"] = context.trace_state.to_header()
    return headers


def enter(key: tuple[str, int], headers: Mapping[str, str] | None) -> None:
    """From here on this task makes the attempt ``key`` (call id and number), and its requests carry ``headers``."""
    scope = _scope.get()
    before = tracing.outgoing.get()
    if scope is None or scope.key != key:
        _scope.set(_Scope(key, before, scope))
    if headers is not None:
        tracing.outgoing.set({**before, **headers})


def leave(key: tuple[str, int]) -> None:
    """The attempt sends nothing more. In another task than the one that entered there is nothing to undo."""
    scope = _scope.get()
    if scope is not None and scope.key == key:
        tracing.outgoing.set(scope.outgoing)
        _scope.set(scope.outer)


def attempt_here(call_id: str) -> int | None:
    """The number of the attempt of that call which this task makes, if it makes one."""
    scope = _scope.get()
    return scope.key[1] if scope is not None and scope.key[0] == call_id else None
