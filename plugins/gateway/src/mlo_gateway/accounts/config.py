"""The tables ``[gateway.accounts]``, ``[gateway.control]`` and ``[gateway.plans.NAME]``."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import Attribute, field, frozen

from mlo_ledger.pricing.amounts import plain

__all__ = ["AccountsConfig", "ControlConfig", "Overage", "PlanConfig"]

Overage: TypeAlias = Literal["block", "warn"]

_MOST_PER_MINUTE = 100_000_000
_MOST_PER_MONTH = 10**15


def _up_to(most: int) -> Any:
    def check(instance: object, attribute: Attribute[Any], value: int | None) -> None:
        if value is not None and not 0 < value <= most:
            kind = type(instance).__name__
            raise ValueError(f"`{attribute.name}` of {kind} must lie between 1 and {most:,}, got {value!r}")

    return check


def _amount(instance: object, attribute: Attribute[Any], value: str | None) -> None:
    if value is None:
        return
    try:
        plain(value)
    except ValueError as error:
        raise ValueError(f"`{attribute.name}` of {type(instance).__name__}: {error}") from error


def _zone(_: object, attribute: Attribute[Any], value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"`{attribute.name}`: there is no time zone {value!r}; write it like Europe/Moscow") from error


@frozen(kw_only=True)
class PlanConfig:
    """``[gateway.plans.NAME]``: what a project on this plan may. ``None`` sets no limit.

    ``requests_month`` and ``budget`` (roubles, as text like ``"1990"`` or ``"0.5"``) are for a calendar month in
    ``time_zone``; once they are used up, ``overage`` says whether calls are blocked or only warned of.
    ``requests_minute``, ``tokens_minute`` and ``concurrency`` (requests under way) are rates. ``price`` is what the
    plan costs a month in roubles: it is shown, and nothing is charged.

    Raises:
        ValueError: when a number is out of its range, an amount is none, or the time zone is unknown.
    """

    title: str = ""
    price: str | None = field(default=None, validator=_amount)
    requests_month: int | None = field(default=None, validator=_up_to(_MOST_PER_MONTH))
    budget: str | None = field(default=None, validator=_amount)
    requests_minute: int | None = field(default=None, validator=_up_to(_MOST_PER_MINUTE))
    tokens_minute: int | None = field(default=None, validator=_up_to(_MOST_PER_MINUTE))
    concurrency: int | None = field(default=None, validator=_up_to(_MOST_PER_MINUTE))
    overage: Overage = "block"
    time_zone: str = field(default="Europe/Moscow", validator=_zone)


@frozen(kw_only=True)
class AccountsConfig:
    """``[gateway.accounts]``.

    ``refresh`` is how often, in seconds, a replica looks whether another one has changed accounts: the longest that a
    revoked key goes on where no signal arrives. ``keys_in_memory`` bounds how many keys are held ready; further ones
    are read when they are used. ``plan`` is the plan of projects for which nobody chose one.

    Raises:
        ValueError: when a number is out of its range.
    """

    refresh: float = 0.5
    keys_in_memory: int = field(default=20_000, validator=_up_to(10_000_000))
    plan: str = "enterprise"

    def __attrs_post_init__(self) -> None:
        if not 0.05 <= self.refresh <= 60:
            raise ValueError(f"`refresh` of AccountsConfig must lie between 0.05 and 60, got {self.refresh!r}")


@frozen(kw_only=True)
class ControlConfig:
    """``[gateway.control]``: the admin API.

    ``cors_origins`` are the origins (``https://console.example``) whose pages may call it from a browser; by default
    none may.

    Raises:
        ValueError: when an origin is a wildcard or none at all.
    """

    cors_origins: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        for origin in self.cors_origins:
            scheme, separator, rest = origin.partition("://")
            if scheme not in {"http", "https"} or not separator or not rest or "/" in rest or "*" in rest:
                raise ValueError(f"`cors_origins`: {origin!r} is no origin; write it like https://console.example")
