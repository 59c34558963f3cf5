"""How much somebody may: what plans say, and what hangs on a :class:`~mlo_gateway.contracts.Principal`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import Attribute, field, frozen

if TYPE_CHECKING:  # the configuration holds values of this package, and contracts the configuration
    from mlo_gateway.contracts import Principal

__all__ = ["Allowance", "allowances_of"]


def _positive(instance: object, attribute: Attribute[Any], value: int | None) -> None:
    if value is not None and not 0 < value <= 100_000_000:
        kind = type(instance).__name__
        raise ValueError(f"`{attribute.name}` of {kind} must lie between 1 and 100,000,000, got {value!r}")


@frozen(kw_only=True)
class Allowance:
    """What one scope may. ``None`` sets no limit.

    ``scope`` says whose limit it is and is what clients are told: ``key:ID``, ``project:NAME``, ``organization:NAME``
    or ``gateway``. Principals with the same scope share it. ``requests`` and ``tokens`` are per minute, ``concurrency``
    is how many requests may be under way.

    Raises:
        ValueError: when a number is not positive, or beyond what counts exactly.
    """

    scope: str
    requests: int | None = field(default=None, validator=_positive)
    tokens: int | None = field(default=None, validator=_positive)
    concurrency: int | None = field(default=None, validator=_positive)


def allowances_of(principal: Principal) -> Sequence[Allowance]:
    """The allowances that hang on a principal's ``limits``: a sequence of them, or nothing.

    Raises:
        TypeError: when ``limits`` holds something else.
    """
    limits = principal.limits
    if limits is None:
        return ()
    if isinstance(limits, Allowance):
        return (limits,)
    if isinstance(limits, tuple) and all(isinstance(item, Allowance) for item in limits):
        return limits
    raise TypeError(f"the limits of the key {principal.prefix!r} are no allowances but {type(limits).__name__}")
