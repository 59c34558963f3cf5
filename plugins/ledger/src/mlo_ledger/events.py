"""From what observers are told to rows of ``usage_event``. Pure: a row is a list of plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from attrs import field, frozen

from mlo.records import AttemptFailed, AttemptFinished, AttemptStarted, CallStarted
from mlo.responses import Usage

from .estimates import TextShape, tokens_of
from .schema import usage_event

__all__ = [
    "AT",
    "COLUMNS",
    "Counts",
    "HoldUsed",
    "Row",
    "Settlement",
    "attempt_fields",
    "call_fields",
    "cleaned",
    "counts_of",
    "holds_from",
    "row_of",
]

COLUMNS: tuple[str, ...] = tuple(column.name for column in usage_event.columns)
AT: Mapping[str, int] = {name: place for place, name in enumerate(COLUMNS)}
"""Where each column is in a row."""

Row: TypeAlias = list[Any]
Fields: TypeAlias = list[Any]
HoldUsed: TypeAlias = tuple[str, str, str, str, int, int]
"""What a call used up of a lease: its id, scope, period and zone, requests and nano-units."""

_LONGEST = 200
_LARGEST = 1 << 53
_MICRO = 1_000_000


@frozen(kw_only=True)
class Settlement:
    """The end of a call: its rows, the last of them the final one, and what it used up of leases.

    ``prices`` are rows of the table ``price`` that the rows may refer to and the database may not have.
    """

    rows: tuple[Row, ...]
    holds: tuple[HoldUsed, ...] = ()
    prices: tuple[Mapping[str, Any], ...] = field(default=())


@frozen
class Counts:
    """Tokens by kind, ``None`` where unknown, and who counted."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    tool: int | None = None
    source: str | None = None


NOTHING = Counts()


def cleaned(text: object) -> str | None:
    """Text as both databases take it, cut to a sane length; ``None`` stays."""
    if text is None:
        return None
    short = str(text)[:_LONGEST]
    if short.isascii() and "\0" not in short:
        return short
    return short.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


_known = lru_cache(maxsize=4096)(cleaned)  # names that come again with every call


def call_fields(call: CallStarted, moment: int) -> Fields:
    """What all rows of a call share, in the order of :func:`row_of`."""
    said = call.metadata
    names: list[str | None]
    if not said:
        names = [None] * 5
    else:
        trace = said.get("traceparent")
        names = [
            _known(said.get("organization")),
            _known(said.get("project")),
            _known(said.get("key")),
            cleaned(said.get("request_id")),
            None if trace is None or len(trace) < 36 else cleaned(trace[3:35]),
        ]
    return [moment, call.call_id, cleaned(call.parent), call.depth, *names, _known(call.route), call.operation]


def attempt_fields(attempt: AttemptStarted) -> Fields:
    """What is known of an attempt when it begins, in the order of :func:`row_of`."""
    return [
        _known(attempt.target),
        _known(attempt.provider) or None,
        _known(attempt.plugin) or None,
        _known(attempt.model),
        _known(attempt.residency.region),
    ]


def row_of(
    call: Fields,
    number: int,
    attempt: Fields,
    *,
    status: str,
    ended: AttemptFinished | AttemptFailed | None = None,
    counts: Counts = NOTHING,
    nested: bool = False,
) -> Row:
    """A row that is not yet the final one, without its cost."""
    moment, call_id, parent, depth, organization, project, key, request_id, trace_id, route, operation = call
    target, provider, plugin, asked, region = attempt
    answered = error = code = reason = latency = first = queued = None
    if ended is not None:
        latency, queued = _micros(ended.elapsed), _micros(ended.queued)
        first = None if ended.first_event is None else _micros(ended.first_event)
        if type(ended) is AttemptFinished:
            answered = _known(ended.model)
            reason = None if ended.finish_reason is None else str(ended.finish_reason)
        elif type(ended) is AttemptFailed and ended.error is not None:
            error, code = type(ended.error).__name__, cleaned(getattr(ended.error, "code", None))
    return [
        f"{call_id}/{number}", "", 0, moment, call_id, parent, number, 0, int(nested), depth, None,
        organization, project, key, request_id, trace_id, route, operation,
        target, provider, plugin, asked, answered, region, status, error, code, reason,
        counts.prompt, counts.completion, counts.cached, counts.reasoning, counts.tool, counts.source,
        0, None, 0, None, None, latency, first, queued, None, None, None,
    ]  # fmt: skip


def counts_of(
    ended: AttemptFinished | AttemptFailed, shape: TextShape | None, *, operation: str, estimate: bool
) -> Counts:
    """The tokens of an attempt: the vendor's counts first, then, where allowed, estimates by the length of texts.

    What failed without a word of an answer is not estimated: it is not known to have been billed.
    """
    usage = ended.usage
    prompt, completion = _count(usage.prompt_tokens), _count(usage.completion_tokens)
    source = None if prompt is None and completion is None else usage.source
    has_answer = type(ended) is AttemptFinished or ended.characters > 0
    if estimate and has_answer and shape is not None:
        if prompt is None:
            prompt, source = shape.tokens, "estimated"
        if completion is None and operation != "embed":
            completion = tokens_of(ended.characters, shape.cyrillic, shape.latin)
            source = "estimated"
    return Counts(prompt, completion, *_parts(usage), source)


def _parts(usage: Usage) -> tuple[int | None, int | None, int | None]:
    return _count(usage.cached_tokens), _count(usage.reasoning_tokens), _count(usage.tool_tokens)


def _count(value: int | None) -> int | None:
    """A count as it can be stored; nonsense from the wire is unknown."""
    return value if isinstance(value, int) and 0 <= value < _LARGEST else None


def _micros(seconds: float) -> int:
    return int(min(max(seconds, 0.0), 1e9) * _MICRO)


def holds_from(found: Sequence[Sequence[Any]]) -> tuple[HoldUsed, ...]:
    """What a line of the journal says of leases."""
    return tuple((str(a), str(b), str(c), str(d), int(e), int(f)) for a, b, c, d, e, f in found)
