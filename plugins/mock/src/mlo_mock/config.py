"""How the mock behaves: every key is optional, and without any it answers at once with an echo."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

from attrs import Attribute, field, frozen

from mlo.models import Capability, Residency
from mlo.responses import FinishReason

__all__ = ["CAPABILITIES", "RESIDENCY", "Fault", "Latency", "MockConfig", "Mode"]

Fault: TypeAlias = Literal[
    "timeout",
    "refused",
    "rate-limit",
    "overloaded",
    "server-fault",
    "quota-exhausted",
    "auth-error",
    "permission-denied",
    "model-not-found",
    "invalid-request",
    "context-too-long",
    "content-blocked",
    "unsupported",
    "protocol-violated",
]
"""A way to fail; see :mod:`mlo_mock.faults` for the error that each one raises."""

Mode: TypeAlias = Literal["normal", "hang", "unhealthy", Fault]
"""What every call does: ``normal`` answers, ``hang`` never does, ``unhealthy`` is overloaded and its health check
says so, and each :data:`Fault` fails that way."""


CAPABILITIES = frozenset(Capability)
RESIDENCY = Residency(on_prem=True, stores_prompts=False)


def _not_negative(instance: object, attribute: Attribute[Any], value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must be a number >= 0, got {value!r}")


def _positive(instance: object, attribute: Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must be > 0, got {value!r}")


def _share(instance: object, attribute: Attribute[Any], value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__} must lie between 0 and 1, got {value!r}")


@frozen(kw_only=True)
class Latency:
    """A random pause before each answer, in seconds, drawn from a generator that ``MockConfig.seed`` starts.

    ``constant`` uses ``low``; ``uniform`` lies between ``low`` and ``high``; ``exponential`` is ``low`` plus an
    exponential variable with mean ``median``; ``lognormal`` is ``low`` plus a variable with that ``median`` and the
    shape ``sigma``. No draw exceeds ``high`` where that is given.

    Raises:
        ValueError: when a number is negative, or ``uniform`` has no ``high`` above ``low``.
    """

    kind: Literal["constant", "uniform", "exponential", "lognormal"] = "constant"
    low: float = field(default=0.0, validator=_not_negative)
    high: float | None = field(default=None, validator=_not_negative)
    median: float = field(default=0.1, validator=_not_negative)
    sigma: float = field(default=0.5, validator=_not_negative)

    def __attrs_post_init__(self) -> None:
        if self.kind == "uniform" and (self.high is None or self.high < self.low):
            raise ValueError(f"uniform latency needs `high` >= `low`, got low={self.low!r}, high={self.high!r}")


@frozen(kw_only=True)
class MockConfig:
    """The options of a ``mock`` instance. Times are in seconds.

    Answers: ``answer`` is always given; ``script`` gives its texts one after the other and then keeps to the last;
    otherwise the mock echoes the user. ``finish_reason`` replaces the natural one.

    Pace: ``delay`` and ``latency`` pass before anything comes back (errors too), ``first_delay`` further before the
    first event of a stream, ``chunk_delay`` before each chunk. ``trickle`` spreads a streamed answer over that time,
    one character at a time. ``chunk_size`` is in characters; without it a chunk is a word.

    Faults: ``fail_first`` calls fail, or every ``fail_every``-th, or the share ``fail_rate`` of them, with the error
    ``fail_with`` (``retry_after`` goes along). ``break_after`` cuts a stream after that many chunks.

    Accounting: a token is a word. ``cached_tokens`` of the prompt are reported as served from a cache;
    ``usage = "none"`` reports no counts at all.

    Raises:
        ValueError: when a number is out of its range.
    """

    mode: Mode = "normal"
    seed: int = 0

    answer: str | None = None
    script: tuple[str, ...] = ()
    finish_reason: FinishReason | None = None
    models: tuple[str, ...] = ("mock",)
    strict_models: bool = False
    dimensions: int = field(default=64, validator=_positive)

    delay: float = field(default=0.0, validator=_not_negative)
    latency: Latency | None = None
    first_delay: float = field(default=0.0, validator=_not_negative)
    chunk_delay: float = field(default=0.0, validator=_not_negative)
    trickle: float = field(default=0.0, validator=_not_negative)
    chunk_size: int | None = field(default=None, validator=_positive)

    fail_first: int = field(default=0, validator=_not_negative)
    fail_every: int | None = field(default=None, validator=_positive)
    fail_rate: float = field(default=0.0, validator=_share)
    fail_with: Fault = "server-fault"
    retry_after: float | None = field(default=None, validator=_not_negative)
    break_after: int | None = field(default=None, validator=_not_negative)

    usage: Literal["vendor", "estimated", "none"] = "vendor"
    cached_tokens: int | None = field(default=None, validator=_not_negative)
    load: float | None = field(default=None, validator=_not_negative)

    def __attrs_post_init__(self) -> None:
        if self.answer is not None and self.script:
            raise ValueError("`answer` and `script` exclude each other: give one of them")
        if not self.models:
            raise ValueError("`models` must name at least one model")
