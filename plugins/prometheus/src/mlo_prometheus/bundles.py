"""The series that attempts move: looked up once for each combination of labels, then only moved."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from .labels import OTHER
from .metrics import Metrics
from .series import Counter, Histogram

__all__ = ["AttemptLabels", "AttemptSeries", "Bundles"]


class AttemptLabels(NamedTuple):
    """What an attempt is told apart by. ``plugin`` is the vendor, ``provider`` the instance in the configuration."""

    provider: str
    plugin: str
    model: str
    operation: str
    project: str


class AttemptSeries:
    """The series of attempts with the same labels. A series comes into being with its first number."""

    def __init__(self, metrics: Metrics, labels: AttemptLabels) -> None:
        self._metrics = metrics
        self._labels = labels
        operation = "embeddings" if labels.operation == "embed" else "chat"
        self._client = (operation, labels.plugin, labels.model, labels.provider)
        self._spent = (labels.provider, labels.model, labels.project)

    @cached_property
    def duration(self) -> Histogram:
        """Seconds of attempts that succeeded."""
        return self.failed_duration("")

    @cached_property
    def ok(self) -> Counter:
        """Attempts that succeeded."""
        return self.ended("ok")

    @cached_property
    def first_chunk(self) -> Histogram:
        """Seconds to a stream's first event."""
        return self._metrics.histogram("gen_ai_client_operation_time_to_first_chunk_seconds").labels(*self._client)

    @cached_property
    def per_chunk(self) -> Histogram:
        """Seconds between the pieces of a stream."""
        return self._metrics.histogram("gen_ai_client_operation_time_per_output_chunk_seconds").labels(*self._client)

    @cached_property
    def queue(self) -> Histogram:
        """Seconds of waiting for a free slot."""
        return self._metrics.histogram("mlo_queue_seconds").labels(self._labels.provider)

    @cached_property
    def usage_in(self) -> Histogram:
        """Tokens of the prompt, by attempt."""
        return self._metrics.histogram("gen_ai_client_token_usage").labels(*self._client, "input")

    @cached_property
    def usage_out(self) -> Histogram:
        """Tokens of the answer, by attempt."""
        return self._metrics.histogram("gen_ai_client_token_usage").labels(*self._client, "output")

    @cached_property
    def tokens_in(self) -> Counter:
        """Tokens of prompts."""
        return self.tokens("input")

    @cached_property
    def tokens_out(self) -> Counter:
        """Tokens of answers."""
        return self.tokens("output")

    @cached_property
    def roubles(self) -> Counter:
        """Nano-roubles."""
        return self._metrics.counter("mlo_cost_rub_total").labels(*self._spent)

    @cached_property
    def cost_unknown(self) -> Counter:
        """Attempts whose cost is unknown."""
        return self._metrics.counter("mlo_cost_unknown_total").labels(*self._spent)

    def failed_duration(self, error: str) -> Histogram:
        """Seconds of attempts that failed with this error."""
        return self._metrics.histogram("gen_ai_client_operation_duration_seconds").labels(*self._client, error)

    def ended(self, outcome: str) -> Counter:
        """Attempts that ended so."""
        provider, _, model, operation, project = self._labels
        return self._metrics.counter("mlo_attempts_total").labels(provider, model, operation, outcome, project)

    def tokens(self, kind: str) -> Counter:
        """Tokens of a kind."""
        return self._metrics.counter("mlo_tokens_total").labels(*self._spent, kind)

    def cost(self, currency: str) -> Counter:
        """Nano-units of another currency than the rouble."""
        return self._metrics.counter("mlo_cost_other_total").labels(*self._spent, currency)


class Bundles:
    """At most ``limit`` combinations of labels; later ones are told apart by operation only."""

    def __init__(self, metrics: Metrics, limit: int) -> None:
        self._metrics = metrics
        self._limit = limit
        self._known: dict[tuple[str, ...], AttemptSeries] = {}
        self._provider = metrics.vocabulary("provider").of
        self._plugin = metrics.vocabulary("gen_ai_provider_name").of
        self._model = metrics.vocabulary("model").of
        self._project = metrics.vocabulary("project").of

    def of(self, provider: str, plugin: str, model: str, operation: str, project: str) -> AttemptSeries:
        """The series of attempts with these labels."""
        key = self._provider(provider), self._plugin(plugin), self._model(model), operation, self._project(project)
        known = self._known.get(key)
        return known if known is not None else self._add(AttemptLabels(*key))

    def _add(self, labels: AttemptLabels) -> AttemptSeries:
        if len(self._known) >= self._limit:
            labels = AttemptLabels(OTHER, OTHER, OTHER, labels.operation, OTHER)
        return self._known.setdefault(labels, AttemptSeries(self._metrics, labels))
