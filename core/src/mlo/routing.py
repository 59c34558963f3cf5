"""What strategies see and say: targets, steps, outcomes.

A strategy is a generator without I/O: it yields a :class:`Step`, the kernel tries it, and sends the outcomes back in.
The simplest one, trying targets in order, is::

    def route(self, request, targets):
        for target in targets:
            yield Step((target,))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from attrs import field, frozen

from .models import Capability, Price, Residency
from .requests import ChatRequest, EmbeddingRequest

if TYPE_CHECKING:
    from .responses import ChatResponse

__all__ = ["Outcome", "Request", "Step", "Target", "TargetStats"]

Request: TypeAlias = ChatRequest | EmbeddingRequest


class TargetStats(Protocol):
    """Live numbers of a target, kept by the kernel over all routes. Read-only for strategies."""

    @property
    def in_flight(self) -> int:
        """Attempts under way right now, those waiting for a slot included."""

    @property
    def breaker(self) -> Literal["closed", "open", "half-open"]:
        """The state of the target's circuit breaker."""

    @property
    def load(self) -> float | None:
        """What the provider last said of its own load, 0 to 1, if it says so."""


@frozen(kw_only=True, eq=False)
class Target:
    """A place that can answer: a provider instance, and a model of it unless the instance has its own default.

    ``name`` is how configuration and errors call it: ``giga-main`` or ``giga-main:GigaChat-2-Max``. Targets are equal
    by name.
    """

    name: str
    provider: str
    model: str | None = None
    capabilities: frozenset[Capability] = frozenset()
    residency: Residency = Residency()
    price: Price | None = None
    labels: Mapping[str, str] = field(factory=dict)
    stats: TargetStats = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, Target) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)


@frozen(kw_only=True)
class Outcome:
    """How one attempt went. Times are in seconds; ``first_event`` is the time to the commit point of a stream.

    ``error`` is ``None`` for a success. ``response`` is there when an unstreamed attempt succeeded.
    """

    target: Target = field(repr=lambda target: target.name)
    error: Exception | None = None
    latency: float = 0.0
    first_event: float | None = None
    response: ChatResponse | None = field(default=None, repr=False)


@frozen
class Step:
    """What to try next.

    Several targets race: the next one starts ``stagger`` seconds after the one before, or at once when that one fails;
    the first success wins and the others are cancelled. ``wait`` is a pause in seconds before the step.
    ``accept`` looks at the whole answer (a stream is held back until it is complete) and may refuse it.

    For the record: ``scores`` are the numbers by which the strategy compared targets, by name (which way is better is
    the strategy's business), and ``probability`` is the chance with which it chose the first of ``targets`` (1 when
    nothing was left to chance, ``None`` when it cannot tell).
    """

    targets: tuple[Target, ...]
    stagger: float = 0.0
    wait: float = 0.0
    accept: Callable[[ChatResponse], bool] | None = None
    scores: Mapping[str, float] = field(factory=dict)
    probability: float | None = None
