"""The observer: moves the series as records come in."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from mlo.errors import CallRefused, ModelNotFound
from mlo.models import Money
from mlo.records import (
    AttemptFailed,
    AttemptFinished,
    AttemptStarted,
    BreakerChanged,
    CallFinished,
    CallStarted,
    ConfigReloaded,
    EventSeen,
    Record,
)
from mlo.responses import Usage

from .bundles import AttemptSeries, Bundles
from .calls import OpenAttempt, OpenCall, Pieces
from .config import PrometheusConfig
from .labels import OTHER
from .metrics import Metrics
from .series import Gauge, Histogram

__all__ = ["PrometheusObserver"]

_BREAKER = {"closed": 0, "half-open": 1, "open": 2}
_PIECES = frozenset({"TextDelta", "ReasoningDelta", "ToolCallDelta"})


class PrometheusObserver(Metrics):
    """Counts calls and attempts, and whatever else it is given to count (see :class:`~mlo_prometheus.metrics.Metrics`).

    ``url`` is where it is served, ``None`` where it is not.
    """

    def __init__(self, config: PrometheusConfig) -> None:
        super().__init__(labels=config.labels, series=config.series, process=config.process)
        self.declare({"observer", "chunks"} if config.chunks else {"observer"})
        self.url: str | None = None
        self._bundles = Bundles(self, config.series)
        self._open: dict[str, OpenCall] = {}
        self._inflight: dict[str, Gauge] = {}
        self._answered: dict[str, str] = {}
        self._durations: dict[tuple[str, str, str], Histogram] = {}
        self._limit = config.series
        self._project = self.vocabulary("project").of
        self._target = self.vocabulary("target").of
        self._vouched = self.vocabulary("model").known
        self._inflights = self.gauge("mlo_inflight")
        self._breakers = self.gauge("mlo_breaker_state")
        self._calls = self.histogram("mlo_call_duration_seconds")
        self._refused = self.counter("mlo_refused_total")
        self._fallbacks = self.counter("mlo_fallback_total")
        self._retries = self.counter("mlo_retry_total")
        self._take: dict[type[Record], Callable[[Any], None]] = {
            CallStarted: self._call_started,
            AttemptStarted: self._attempt_started,
            AttemptFinished: self._attempt_finished,
            AttemptFailed: self._attempt_failed,
            CallFinished: self._call_finished,
            BreakerChanged: self._breaker_changed,
            ConfigReloaded: self._config_reloaded,
        }
        if config.chunks:
            self._take[EventSeen] = self._event_seen

    @property
    def wants(self) -> frozenset[type[Record]]:
        """What the metrics are made of; single events of streams only with ``chunks``."""
        return frozenset(self._take)

    @property
    def calls_under_way(self) -> int:
        """How many calls have begun and not ended; routes inside routes count by themselves."""
        return len(self._open)

    def on(self, record: Record, /) -> None:
        """Count one record."""
        take = self._take.get(type(record))
        if take is not None:
            take(record)

    def _call_started(self, record: CallStarted) -> None:
        outer = None if record.parent is None else self._open.get(record.parent)
        if outer is not None:
            outer.delegate()
        project = self._project(record.metadata.get("project", ""))
        self._open[record.call_id] = OpenCall(record.operation, project, nested=record.depth > 0)

    def _attempt_started(self, record: AttemptStarted) -> None:
        call = self._open.get(record.call_id)
        if call is None:
            return
        target = record.target
        resumed = call.resumed()
        if resumed is not None:
            source, reason = resumed
            if source == target:
                self._retries.labels(target, reason).add()
            else:
                self._fallbacks.labels(source, target, reason).add()
        provider = record.provider or target
        inflight = None if record.plugin == "route" else self._inflight.get(target) or self._met(target, provider)
        if inflight is not None:
            inflight.add()
        call.attempts[record.attempt] = OpenAttempt(target, provider, record.plugin, record.model, inflight)

    def _met(self, target: str, provider: str) -> Gauge:
        """A target is seen for the first time, or there are too many to remember."""
        if self._target(target) != OTHER:
            self._breakers.labels(target)
        gauge = self._inflights.labels(provider)
        if len(self._inflight) < self._limit:
            self._inflight[target] = gauge
        return gauge

    def _attempt_finished(self, record: AttemptFinished) -> None:
        call = self._open.get(record.call_id)
        attempt = None if call is None else call.attempts.pop(record.attempt, None)
        if call is None or attempt is None:
            return
        # another attempt after a good answer means that the answer was not good enough for the strategy
        call.failed = (attempt.target, "AnswerRejected")
        if attempt.inflight is None:
            return
        attempt.inflight.add(-1)
        series = self._series_of(call, attempt, record.model)
        series.ok.add()
        series.duration.observe(record.elapsed)
        _timed(series, record, call)
        if not attempt.wraps:
            _spent(series, record.usage, known_to_cost=True)

    def _attempt_failed(self, record: AttemptFailed) -> None:
        call = self._open.get(record.call_id)
        attempt = None if call is None else call.attempts.pop(record.attempt, None)
        if call is None or attempt is None:
            return
        error = "" if record.error is None else type(record.error).__name__
        if error:
            call.failed = (attempt.target, error)
        if attempt.inflight is None:
            return
        attempt.inflight.add(-1)
        if attempt.model is not None and isinstance(record.error, ModelNotFound):
            attempt.model = self._vouched(attempt.model)  # names that callers make up take no real one's place
        series = self._series_of(call, attempt, None)
        series.ended(error or "cancelled").add()
        if not record.reached:
            return
        series.failed_duration(error or "cancelled").observe(record.elapsed)
        _timed(series, record, call)
        if not attempt.wraps:
            # a vendor may charge for what it was told to stop, and for text that came before the fault
            _spent(series, record.usage, known_to_cost=record.cancelled or record.characters > 0)

    def _call_finished(self, record: CallFinished) -> None:
        call = self._open.pop(record.call_id, None)
        if call is None or call.nested:
            return
        status: str = record.status
        if isinstance(record.error, CallRefused):
            status = "refused"
            self._refused.labels(record.error.reason).add()
        key = (call.operation, status, call.project)
        series = self._durations.get(key) or self._durations.setdefault(key, self._calls.labels(*key))
        series.observe(record.elapsed)

    def _event_seen(self, record: EventSeen) -> None:
        call = self._open.get(record.call_id)
        if call is None or record.kind not in _PIECES:
            return
        if call.pieces is None:
            call.pieces = Pieces()
        call.pieces.take(monotonic())

    def _breaker_changed(self, record: BreakerChanged) -> None:
        if self._target(record.target) != OTHER:  # several breakers have no common state
            self._breakers.labels(record.target).set(_BREAKER[record.state])

    def _config_reloaded(self, record: ConfigReloaded) -> None:
        gone = {*record.removed, *record.changed}

        def is_gone(values: tuple[str, ...]) -> bool:
            return values[0].partition(":")[0] in gone

        self._breakers.discard(goes=is_gone)  # an instance that comes back has a new breaker
        self._inflight = {target: gauge for target, gauge in self._inflight.items() if not is_gone((target,))}

    def _series_of(self, call: OpenCall, attempt: OpenAttempt, answered: str | None) -> AttemptSeries:
        """Where no model was asked for by name, it is the one that ``answered``, now or at this target before."""
        model = attempt.model
        if model is None:
            model = answered or self._answered.get(attempt.target, "unknown")
            if answered is not None and len(self._answered) < self._limit:
                self._answered[attempt.target] = answered
        return self._bundles.of(attempt.provider, attempt.plugin, model, call.operation, call.project)


def _timed(series: AttemptSeries, record: AttemptFinished | AttemptFailed, call: OpenCall) -> None:
    series.queue.observe(record.queued)
    if record.first_event is not None:
        series.first_chunk.observe(record.first_event)
    pieces, call.pieces = call.pieces, None
    if pieces is not None:
        series.per_chunk.merge(pieces.counts, pieces.sum)


def _spent(series: AttemptSeries, usage: Usage, *, known_to_cost: bool) -> None:
    """Tokens and cost, as far as they are known. ``known_to_cost``: something was consumed, whatever was reported."""
    if usage.prompt_tokens is not None:
        series.usage_in.observe(usage.prompt_tokens)
        series.tokens_in.add(usage.prompt_tokens)
    if usage.completion_tokens is not None:
        series.usage_out.observe(usage.completion_tokens)
        series.tokens_out.add(usage.completion_tokens)
    if usage.cached_tokens:
        series.tokens("cached").add(usage.cached_tokens)
    if usage.reasoning_tokens:
        series.tokens("reasoning").add(usage.reasoning_tokens)
    if usage.tool_tokens:
        series.tokens("tool").add(usage.tool_tokens)
    if usage.cost is not None:
        _charged(series, usage.cost)
    elif known_to_cost or usage.prompt_tokens is not None or usage.completion_tokens is not None:
        series.cost_unknown.add()


def _charged(series: AttemptSeries, cost: Money) -> None:
    counter = series.roubles if cost.currency == "RUB" else series.cost(cost.currency)
    counter.add(cost.nano)
