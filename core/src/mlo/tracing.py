"""What ties a call to the trace it belongs to, without knowing any tracing library.

Whoever traces (an observer) writes here; whoever sends HTTP requests, or writes logs, reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

__all__ = ["NO_HEADERS", "outgoing", "traceparents"]

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
"""What :data:`outgoing` holds as long as nobody sets it."""

outgoing: Final[ContextVar[Mapping[str, str]]] = ContextVar("mlo.tracing.outgoing", default=NO_HEADERS)
"""Headers that go with every HTTP request of the attempt under way; their names are in lower case.

An observer sets them while it takes ``AttemptStarted``, which comes in the task that makes the attempt (each
contestant of a race has its own), and takes them away when the attempt ends or its stream commits. They never go
before a header that the request has itself.
"""

traceparents: Final[dict[str, str]] = {}
"""The W3C ``traceparent`` of the span of each call under way, by call id.

Written by the observer that traces, while it takes ``CallStarted``; it stays until a little after ``CallFinished``, so
that observers may look it up whatever their order.
"""
