"""How much may be used in a calendar month or day, and how much has been: values only."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen, validators

__all__ = ["Limit", "Overage", "PeriodKind", "Window"]

Overage: TypeAlias = Literal["block", "warn"]
PeriodKind: TypeAlias = Literal["month", "day"]

_POSITIVE = validators.optional(validators.ge(0))


@frozen(kw_only=True)
class Limit:
    """A limit on calls (``requests``), on spending (``nano``: billionths of a rouble), or on both.

    ``scope`` is ``project:NAME``, ``key:ID``, ``organization:NAME``, or ``all``; a scope has at most one limit per
    kind of period. ``overage`` says whether calls beyond the limit are refused or only reported.
    """

    scope: str
    requests: int | None = field(default=None, validator=_POSITIVE)
    nano: int | None = field(default=None, validator=_POSITIVE)
    period: PeriodKind = "month"
    time_zone: str = "Europe/Moscow"
    overage: Overage = "block"


@frozen(kw_only=True)
class Window:
    """What has been used of a limit in its current period.

    ``reserved`` is promised to calls under way and to processes that serve them; ``doubtful`` is the part of ``used``
    of which nobody knows whether the vendor billed it. ``begins`` and ``resets_at`` are Unix time in seconds.
    """

    scope: str
    period: str
    limit: Limit | None
    used_requests: int = 0
    used_nano: int = 0
    reserved_requests: int = 0
    reserved_nano: int = 0
    doubtful_requests: int = 0
    doubtful_nano: int = 0
    begins: float
    resets_at: float
