"""Calls under way, from their first record to their settlement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from attrs import define, field, frozen

from mlo.records import (
    AttemptFailed,
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    RouteDecided,
    StepChosen,
)
from mlo.routing import Request

from .admission import Hold
from .costing import Costing
from .estimates import TextShape, prompt_hash, shape_of
from .events import AT, Counts, Row, attempt_fields, cleaned, counts_of, row_of

__all__ = ["Ended", "OpenCall", "Rules", "Try"]

_ROUTE = "route"  # the plugin's name of a route inside a route
_WRITER, _SEQ, _FINAL, _STATUS = AT["writer"], AT["seq"], AT["final"], AT["status"]
_REQUESTS, _ATTEMPTS, _DECISION, _FEATURES = AT["requests"], AT["attempts"], AT["decision"], AT["features"]
_COST, _CURRENCY, _NESTED, _TARGET = AT["cost_nano"], AT["currency"], AT["nested"], AT["target"]
_LONGEST_REASON = 200
_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


@frozen(kw_only=True)
class Rules:
    """What of the options matters to single calls."""

    owner: str
    estimate: bool
    features: str
    key: bytes = field(default=b"", repr=False)


@define(eq=False)
class Try:
    """An attempt."""

    started: AttemptStarted
    fields: list[Any]
    ended: AttemptFinished | AttemptFailed | None = None

    @property
    def is_nested(self) -> bool:
        """Whether a call of its own accounts for it."""
        return self.started.plugin == _ROUTE


@define(eq=False)
class Ended:
    """The rows of a call that has ended, the final one last, and what is new about prices."""

    rows: list[Row]
    prices: list[Mapping[str, Any]]
    counted: bool
    spent: int


@define(eq=False)
class OpenCall:
    """What is known of a call under way. ``lines`` are those of the journal that speak of it."""

    started: CallStarted
    moment: int
    fields: list[Any]
    root: OpenCall | None = None
    request: Request | None = None
    holds: list[Hold] = field(factory=list)
    held: int = 0
    decided: RouteDecided | None = None
    steps: list[StepChosen] = field(factory=list)
    tries: dict[int, Try] = field(factory=dict)
    lines: list[bytes] = field(factory=list)
    spent: int = 0
    _shape: TextShape | None = None

    def shape(self) -> TextShape | None:
        """The shape of the prompt, if it is known; counted once."""
        if self._shape is None:
            request = self.request if self.request is not None or self.root is None else self.root.request
            if request is None:
                return None
            self._shape = shape_of(request)
        return self._shape

    def begin(self, record: AttemptStarted) -> Try:
        """An attempt begins."""
        found = self.tries[record.attempt] = Try(record, attempt_fields(record))
        return found

    def row(self, number: int, attempt: Try, rules: Rules, costing: Costing, prices: list[Mapping[str, Any]]) -> Row:
        """The row of an attempt as far as it is known; a price that the database may not have goes to ``prices``."""
        ended = attempt.ended
        if ended is None:  # it was given up without a word
            return row_of(self.fields, number, attempt.fields, status="cancelled", nested=attempt.is_nested)
        status = "ok"
        if isinstance(ended, AttemptFailed):
            status = "cancelled" if ended.cancelled else "error"
        if attempt.is_nested:
            return row_of(self.fields, number, attempt.fields, status=status, ended=ended, nested=True)
        counts = self._counts(ended, rules)
        row = row_of(self.fields, number, attempt.fields, status=status, ended=ended, counts=counts)
        if counts.source is not None or ended.usage.cost is not None:
            price = costing.put(row, attempt.started, ended.usage)
            if price is not None:
                prices.append(price)
        return row

    def end(self, record: CallFinished, rules: Rules, costing: Costing, refused: str | None) -> Ended:
        """The call has ended."""
        prices: list[Mapping[str, Any]] = []
        rows = [self.row(number, attempt, rules, costing, prices) for number, attempt in list(self.tries.items())]
        if not rows:
            rows = [row_of(self.fields, 0, [None] * 5, status=record.status)]
        final = self._final(rows, record)
        if final is not rows[-1]:
            rows.remove(final)
            rows.append(final)
        if refused is not None:
            final[_STATUS] = "refused"
            final[AT["error"]], final[AT["error_code"]] = "CallRefused", cleaned(refused)
        elif record.status != "ok":
            final[_STATUS] = record.status
            if record.error is not None and final[AT["error"]] is None:
                final[AT["error"]] = type(record.error).__name__
        counted = self.started.depth == 0 and any(self._reached(attempt) for attempt in list(self.tries.values()))
        final[_FINAL], final[_REQUESTS], final[_ATTEMPTS] = 1, int(counted), record.attempts
        final[_DECISION] = self._decision(record)
        if rules.features != "off":
            final[_FEATURES] = self._features(rules)
        spent = sum(row[_COST] for row in rows if row[_COST] is not None and row[_CURRENCY] == "RUB")
        return Ended(rows, prices, counted, self.spent + spent)

    def _counts(self, ended: AttemptFinished | AttemptFailed, rules: Rules) -> Counts:
        usage = ended.usage
        is_known = usage.prompt_tokens is not None and usage.completion_tokens is not None
        shape = self.shape() if rules.estimate and not is_known else None
        return counts_of(ended, shape, operation=self.started.operation, estimate=rules.estimate)

    @staticmethod
    def _reached(attempt: Try) -> bool:
        ended = attempt.ended
        return ended.reached if isinstance(ended, AttemptFailed) else ended is not None

    @staticmethod
    def _final(rows: list[Row], record: CallFinished) -> Row:
        """Of a call that succeeded the row of who answered, else the last."""
        if record.status == "ok" and len(rows) > 1:
            return next(
                (row for row in reversed(rows) if row[_STATUS] == "ok" and row[_TARGET] == record.target), rows[-1]
            )
        return rows[-1]

    def _decision(self, record: CallFinished) -> str | None:
        decided = self.decided
        if decided is None:
            return None
        if not decided.rejected and len(self.steps) == 1 and not self.steps[0].scores:
            step = self.steps[0]
            return _plain_decision(decided.strategy, decided.candidates, step.targets, step.probability, record.target)
        said: dict[str, Any] = {"strategy": decided.strategy, "candidates": decided.candidates}
        if decided.rejected:
            said["rejected"] = {name: reason[:_LONGEST_REASON] for name, reason in decided.rejected.items()}
        if self.steps:
            said["steps"] = [_step(step) for step in self.steps]
        said["chosen"] = record.target
        return _text(said)

    def _features(self, rules: Rules) -> str | None:
        shape = self.shape()
        if shape is None:
            return None
        said: dict[str, Any] = {"tokens": shape.tokens, "language": shape.language}
        request = self.request if self.request is not None or self.root is None else self.root.request
        if rules.features == "hash" and request is not None:
            said["hash"] = prompt_hash(request, rules.key)
        return _dump(said)


@lru_cache(maxsize=1024)
def _plain_decision(
    strategy: str,
    candidates: tuple[str, ...],
    targets: tuple[str, ...],
    probability: float | None,
    chosen: str | None,
) -> str:
    """What most calls say: one step, nothing rejected, no scores."""
    step: dict[str, Any] = {"targets": targets}
    if probability is not None:
        step["probability"] = _number(probability)
    return _text({"strategy": strategy, "candidates": candidates, "steps": [step], "chosen": chosen})


def _text(said: dict[str, Any]) -> str:
    text = _dump(said)
    return text if text.isascii() and "\\u0000" not in text else _storable(text)


def _step(step: StepChosen) -> dict[str, Any]:
    said: dict[str, Any] = {"targets": step.targets}
    if step.scores:
        said["scores"] = {name: _number(score) for name, score in step.scores.items()}
    if step.probability is not None:
        said["probability"] = _number(step.probability)
    return said


def _number(value: float) -> float | str:
    """JSON knows neither infinity nor NaN."""
    return value if isinstance(value, int) or abs(value) < float("inf") else str(value)


def _storable(text: str) -> str:
    return text.replace("\\u0000", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
