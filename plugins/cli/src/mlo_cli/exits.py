"""Exit codes, and what one line says about an error."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mlo.errors import (
    AttemptsExhausted,
    CallError,
    ConfigError,
    ContentBlocked,
    DeadlineExceeded,
    MloError,
    NoTarget,
    PluginError,
    ProviderError,
)

from .texts import catalogue, language, text

if TYPE_CHECKING:
    from mlo.routing import Outcome

__all__ = ["DEADLINE", "FAILED", "INTERRUPTED", "OK", "REFUSED", "USAGE", "code_of", "explain"]

OK = 0
FAILED = 1
"""A provider failed, or nobody could answer."""
USAGE = 2
"""Wrong arguments, configuration or plugins."""
REFUSED = 3
"""A content filter refused the prompt or the answer."""
DEADLINE = 4
"""The time allowed for the call ran out."""
INTERRUPTED = 130
"""Ctrl-C."""


def code_of(error: MloError) -> int:
    """The exit code for an error."""
    match error:
        case ConfigError() | PluginError():
            return USAGE
        case ContentBlocked():
            return REFUSED
        case DeadlineExceeded():
            return DEADLINE
        case _:
            return FAILED


def explain(error: MloError) -> str:
    """What happened and what to do about it, in one line; a :class:`~mlo.errors.ConfigError` may list several."""
    return _what(error) + _hint(error)


def _what(error: MloError) -> str:
    match error:
        case ConfigError():
            return str(error)
        case AttemptsExhausted(outcomes=outcomes) if outcomes:
            return text("failed.all", attempts=_attempts(outcomes))
        case NoTarget(reasons=reasons) if reasons:
            return text("failed.no_target", reasons="; ".join(f"{name}: {reason}" for name, reason in reasons.items()))
        case _:
            return _one_line(error)


def _one_line(error: Exception) -> str:
    return " — ".join(line.strip() for line in str(error).splitlines() if line.strip()) or type(error).__name__


def _attempts(outcomes: tuple[Outcome, ...]) -> str:
    """One clause per different failure; repeated rounds show as a count."""
    counts = Counter(_clause(outcome, outcome.error) for outcome in outcomes if outcome.error is not None)
    return "; ".join(clause if count == 1 else f"{clause} (×{count})" for clause, count in counts.items())


def _clause(outcome: Outcome, error: Exception) -> str:
    named = isinstance(error, ProviderError) and error.target is not None
    return _one_line(error) if named else f"{outcome.target.name}: {_one_line(error)}"


def _hint(error: MloError) -> str:
    """Advice for the kind of error, looked up along its ancestors."""
    if isinstance(error, AttemptsExhausted) and isinstance(error.__cause__, MloError):
        return _hint(error.__cause__)
    texts = catalogue(language())
    for kind in type(error).__mro__:
        if kind is CallError or kind is ProviderError:
            break
        if f"hint.{kind.__name__}" in texts:
            return " — " + texts[f"hint.{kind.__name__}"]
    return ""
