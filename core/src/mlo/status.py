"""How targets are right now, for health pages and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from .models import Capability, Price, Residency

__all__ = ["TargetStatus"]


@frozen(kw_only=True)
class TargetStatus:
    """A target as the kernel sees it at one moment.

    ``retry_in`` is in how many seconds its circuit breaker lets an attempt through, 0 for now. ``in_flight`` counts
    attempts, those that wait for a free slot included; ``slots`` is how many its credential allows at a time (``None``:
    any number), ``free_slots`` how many of these are left, shared with all who use the credential. ``unusable`` is why
    it cannot be used at all, empty if it can; nothing else is known of it then.
    """

    name: str
    provider: str
    model: str | None = None
    plugin: str = ""
    breaker: Literal["closed", "open", "half-open"] = "closed"
    retry_in: float = 0.0
    in_flight: int = 0
    slots: int | None = None
    free_slots: int | None = None
    load: float | None = None
    capabilities: frozenset[Capability] = frozenset()
    residency: Residency = Residency()
    price: Price | None = None
    labels: Mapping[str, str] = field(factory=dict)
    unusable: str = ""
