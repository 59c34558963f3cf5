"""Which request and which trace a line belongs to."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from mlo import records, tracing

__all__ = ["CallIds"]

_TRACEPARENT_PARTS = 4


class CallIds:
    """Remembers the ids of calls under way. Asked in the thread and the context of the call itself.

    The trace is that of whoever traces the call (:data:`mlo.tracing.traceparents`), else that of the request's
    metadata, else the span that is current in OpenTelemetry, if the program uses that: it is never imported here.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def of(self, record: records.Record) -> Mapping[str, str]:
        """``request_id``, ``trace_id``, ``span_id`` and ``vendor_request_id``, as far as they are known by now."""
        call_id: str | None = getattr(record, "call_id", None)
        if call_id is None:
            return {}
        known = self._known.get(call_id)
        if isinstance(record, records.CallStarted):
            known = self._known[call_id] = _told(record.metadata)
        elif isinstance(record, records.AttemptFinished) and record.request_id is not None:
            known = self._known.setdefault(call_id, {})
            known["vendor_request_id"] = record.request_id
        ids = dict(known or {})
        traced = tracing.traceparents.get(call_id)
        if traced is not None:
            ids |= _parts(traced)
        elif "trace_id" not in ids:
            ids |= _current()
        if isinstance(record, records.CallFinished):
            self._known.pop(call_id, None)
        return ids


def _told(metadata: Mapping[str, str]) -> dict[str, str]:
    told = _parts(metadata["traceparent"]) if "traceparent" in metadata else {}
    if "request_id" in metadata:
        told["request_id"] = metadata["request_id"]
    return told


def _parts(traceparent: str) -> dict[str, str]:
    """The ids in a W3C header; none where it is not one."""
    parts = traceparent.split("-")
    if len(parts) < _TRACEPARENT_PARTS:
        return {}
    trace_id, span_id = parts[1], parts[2]
    if not (_is_id(trace_id, 32) and _is_id(span_id, 16)):
        return {}
    return {"trace_id": trace_id, "span_id": span_id}


def _is_id(text: str, length: int) -> bool:
    return len(text) == length and not text.strip("0123456789abcdef") and bool(text.strip("0"))


def _current() -> dict[str, str]:
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None or not hasattr(trace, "get_current_span"):  # absent, or being imported right now
        return {}
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
