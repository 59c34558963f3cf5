"""The options of the strategies, as they stand in a route's ``strategy`` table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from attrs import Attribute, field, frozen

__all__ = [
    "CascadeOptions",
    "CheapestOptions",
    "HedgedOptions",
    "LeastLatencyOptions",
    "NoOptions",
    "RandomOptions",
    "StickyOptions",
    "WeightedOptions",
]

REFUSALS = (
    "не могу помочь",
    "не могу ответить",
    "не могу выполнить",
    "не могу обсуждать",
    "как языковая модель",
    "не люблю менять тему",
    "i can't help",
    "i cannot help",
    "i can't assist",
    "i cannot assist",
    "as an ai language model",
    "i'm sorry, but i can",
)
"""Phrases by which models commonly decline; matched without regard to case."""


def _positive(_instance: object, attribute: Attribute[Any], value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"`{attribute.name}` must be a number > 0, got {value!r}")


def _not_negative(_instance: object, attribute: Attribute[Any], value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"`{attribute.name}` must be a number >= 0, got {value!r}")


def _weights(_instance: object, _attribute: Attribute[Any], value: Mapping[str, float]) -> None:
    wrong = {name: weight for name, weight in value.items() if not (math.isfinite(weight) and weight >= 0)}
    if wrong:
        raise ValueError(f"weights must be numbers >= 0, got {wrong!r}")


def _rates(_instance: object, _attribute: Attribute[Any], value: Mapping[str, float]) -> None:
    wrong = {name: rate for name, rate in value.items() if not (math.isfinite(rate) and rate > 0)}
    if wrong:
        raise ValueError(f"exchange rates must be numbers > 0, got {wrong!r}")


@frozen
class NoOptions:
    """There is nothing to set."""


@frozen(kw_only=True)
class RandomOptions:
    """``seed`` makes the choices repeatable."""

    seed: int | None = None


@frozen(kw_only=True)
class WeightedOptions:
    """``weights`` by target name, or by provider instance; a target without one weighs 1.

    A weight of 0 makes a target a last resort. ``seed`` makes the choices repeatable.

    Raises:
        ValueError: when a weight is negative.
    """

    weights: Mapping[str, float] = field(factory=dict, validator=_weights)
    seed: int | None = None


@frozen(kw_only=True)
class LeastLatencyOptions:
    """``half_life`` is the time in seconds after which a measurement counts half.

    ``penalty`` is the latency in seconds that a failure counts as. ``seed`` makes the choices repeatable.

    Raises:
        ValueError: when either is not above 0.
    """

    half_life: float = field(default=30.0, validator=_positive)
    penalty: float = field(default=10.0, validator=_positive)
    seed: int | None = None


@frozen(kw_only=True)
class CheapestOptions:
    """How prices become comparable.

    ``completion_share`` is the share of completion tokens in a typical call; ``rates`` say what a unit of a currency
    is worth, needed where the targets of a route are priced in several.

    Raises:
        ValueError: when the share is not between 0 and 1, or a rate is not above 0.
    """

    completion_share: float = field(default=0.25)
    rates: Mapping[str, float] = field(factory=dict, validator=_rates)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.completion_share <= 1:
            raise ValueError(f"`completion_share` must lie between 0 and 1, got {self.completion_share!r}")


@frozen(kw_only=True)
class StickyOptions:
    """``by`` names the entry of a request's ``metadata`` that decides. ``seed`` is for requests without it."""

    by: str = "session"
    seed: int | None = None


@frozen(kw_only=True)
class HedgedOptions:
    """``width`` targets race, each starting ``stagger`` seconds after the one before.

    Raises:
        ValueError: when ``width`` is below 2 or ``stagger`` below 0.
    """

    stagger: float = field(default=1.0, validator=_not_negative)
    width: int = 2

    def __attrs_post_init__(self) -> None:
        if self.width < 2:
            raise ValueError(f"`width` must be at least 2 (one target alone is no race), got {self.width!r}")


@frozen(kw_only=True)
class CascadeOptions:
    """Which answers are good enough; the last target's always is.

    ``min_length`` counts characters; ``truncated`` and ``filtered`` tell whether answers that were cut short or
    stopped by a content filter pass; an answer whose beginning holds one of ``refusals`` does not pass. ``json``: the
    answer must parse as JSON ``always``, ``never``, or only when the request asks for JSON (``auto``).

    Raises:
        ValueError: when ``min_length`` is negative.
    """

    min_length: int = field(default=1, validator=_not_negative)
    truncated: bool = False
    filtered: bool = False
    refusals: tuple[str, ...] = REFUSALS
    json: Literal["auto", "always", "never"] = "auto"
