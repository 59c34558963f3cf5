"""What the gateway itself adds to the metrics: requests turned away, requests under way, the state of the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mlo_gateway.limits.admission import Admission
from mlo_gateway.limits.rules import Rule
from mlo_ledger.state import LedgerState

__all__ = ["Counter", "LedgerSource", "MetricSink", "Refusals", "measure"]


class Counter(Protocol):
    """A series that grows."""

    def add(self, amount: float = 1) -> None:
        """Count."""


class _Family(Protocol):
    def labels(self, *values: str) -> Counter: ...


class MetricSink(Protocol):
    """What the observer ``prometheus`` offers to others."""

    def counter(self, name: str, *, help: str = "", labels: Sequence[str] = ()) -> _Family:  # noqa: A002
        """A counter by its name."""

    def add_gauge(
        self,
        name: str,
        read: Callable[[], float | None],
        *,
        help: str = "",  # noqa: A002
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """A gauge that is asked at each scrape."""


class LedgerSource(Protocol):
    """What the observer ``ledger`` tells of itself."""

    def state(self) -> LedgerState:
        """How it is."""


class Refusals:
    """Counts requests that a limit turned away, by the kind of scope: never by the key or the project itself."""

    def __init__(self) -> None:
        self._family: _Family | None = None

    def count_in(self, sink: MetricSink) -> None:
        """Count there from here on."""
        self._family = sink.counter("mlo_rate_limited_total")

    def __call__(self, rule: Rule) -> None:
        """Count one."""
        if self._family is not None:
            self._family.labels(rule.scope.partition(":")[0]).add()


def measure(sink: MetricSink, admission: Admission, refusals: Refusals, ledger: LedgerSource | None) -> None:
    """Show in ``sink`` how the gateway is."""
    refusals.count_in(sink)
    gauges: dict[str, tuple[Callable[[], float | None], str]] = {
        "mlo_gateway_requests": (lambda: admission.in_flight, "Requests of the data plane under way."),
        "mlo_gateway_waiting": (lambda: admission.waiting, "Requests that wait for a place."),
        "mlo_gateway_overloaded": (lambda: admission.refused, "Requests sent away for lack of a place so far."),
    }
    if ledger is not None:
        gauges |= {
            "mlo_ledger_lag_seconds": (lambda: ledger.state().lag, ""),
            "mlo_ledger_backlog": (lambda: ledger.state().backlog, ""),
        }
    for name, (read, text) in gauges.items():
        sink.add_gauge(name, read, help=text)
