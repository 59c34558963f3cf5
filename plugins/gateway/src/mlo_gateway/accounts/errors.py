"""Why an administrative act was refused.

::

    MloError
    └── ActRefused          reason, param
        (reasons: invalid, denied, missing, conflict)
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from mlo.errors import MloError

__all__ = ["ActRefused", "Reason", "conflict", "denied", "invalid", "missing"]

Reason: TypeAlias = Literal["invalid", "denied", "missing", "conflict"]


class ActRefused(MloError):
    """An act was refused, and nothing was changed.

    ``reason`` is ``invalid`` (what was asked for makes no sense), ``denied`` (the role does not allow it), ``missing``
    (there is no such thing, or none that may be seen) or ``conflict`` (the state of things forbids it). ``param`` is
    the field that it is about.
    """

    def __init__(self, reason: Reason, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.reason, self.message, self.param = reason, message, param


def invalid(param: str, message: str) -> ActRefused:
    """What was asked for makes no sense."""
    return ActRefused("invalid", f"`{param}` {message}", param=param)


def denied(message: str) -> ActRefused:
    """The role does not allow it."""
    return ActRefused("denied", message)


def missing(kind: str, name: str) -> ActRefused:
    """There is no such thing, or none that may be seen: the two look alike."""
    return ActRefused("missing", f"there is no {kind} {name!r}")


def conflict(message: str, *, param: str | None = None) -> ActRefused:
    """The state of things forbids it."""
    return ActRefused("conflict", message, param=param)
