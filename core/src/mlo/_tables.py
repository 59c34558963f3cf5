"""The tables of ``mlo.toml`` that belong to the kernel, as the file has them: shapes, units and limits.

Keys of a component's table that the kernel does not know are the plugin's options; they are checked against the
plugin's own class when the component opens.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Literal, NewType

from attrs import field, frozen

from . import errors
from ._convert import CONVERTER, fault_hook, open_table
from ._explain import near
from ._faults import Fault, Faults
from ._policy import pattern_fault
from .models import Capability, Residency

__all__ = [
    "FAILOVER",
    "Amount",
    "BreakerTable",
    "BudgetTable",
    "Cap",
    "ComponentTable",
    "Count",
    "Currency",
    "Document",
    "ErrorName",
    "MloTable",
    "Name",
    "NonNegative",
    "Pattern",
    "PluginsTable",
    "Positive",
    "PriceTable",
    "ProfileTable",
    "ProviderTable",
    "RetryTable",
    "RouteTable",
    "VersionPrefix",
    "Word",
]

Positive = NewType("Positive", float)
NonNegative = NewType("NonNegative", float)
Count = NewType("Count", int)
Cap = NewType("Cap", int)
Amount = NewType("Amount", int)
Currency = NewType("Currency", str)
Pattern = NewType("Pattern", str)
VersionPrefix = NewType("VersionPrefix", str)
Word = NewType("Word", str)
Name = NewType("Name", str)
ErrorName = NewType("ErrorName", str)

_NANO = 10**9
FAILOVER = frozenset(
    name
    for name in errors.__all__
    if issubclass(getattr(errors, name), errors.ProviderError)
    and name not in {"ProviderError", "StreamInterrupted"}  # after its first event, nobody else may answer
)


@frozen(kw_only=True)
class BreakerTable:
    """``[mlo.breaker]``: when a target is left alone. Times in seconds."""

    failures: Count = Count(5)
    open_for: Positive = Positive(15.0)
    max_open_for: Positive = Positive(240.0)


@frozen(kw_only=True)
class BudgetTable:
    """``[mlo.retry]``: retries over all routes as a share of calls, beyond a reserve."""

    ratio: NonNegative = NonNegative(0.2)
    reserve: NonNegative = NonNegative(10.0)


@frozen(kw_only=True)
class MloTable:
    """``[mlo]``."""

    profile: str | None = None
    capture: Literal["none", "content"] = "none"
    breaker: BreakerTable = BreakerTable()
    retry: BudgetTable = BudgetTable()


@frozen(kw_only=True)
class PluginsTable:
    """``[plugins]`` and ``[profiles.NAME.plugins]``."""

    allow: tuple[Pattern, ...] | None = None
    deny: tuple[Pattern, ...] = ()
    require: Mapping[Word, VersionPrefix] = field(factory=dict)
    pin: Mapping[Word, VersionPrefix] = field(factory=dict)
    prefer: Mapping[Word, Word] = field(factory=dict)
    strict: bool | None = None
    lock: Word | None = None


@frozen(kw_only=True)
class ComponentTable:
    """``use`` and the plugin's options."""

    use: str
    options: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class PriceTable:
    """``price``: currency units per million tokens and, as ``request``, per call; exact to nine decimals."""

    prompt: Amount
    completion: Amount
    cached: Amount | None = None
    tool: Amount | None = None
    reasoning: Amount | None = None
    request: Amount = Amount(0)
    currency: Currency = Currency("RUB")


@frozen(kw_only=True)
class ProviderTable:
    """``[providers.NAME]``: the kernel's keys, and the plugin's options."""

    use: str
    auth: ComponentTable | str | None = None
    concurrency: Cap | None = None
    capabilities: frozenset[Capability] | None = None
    residency: Residency | None = None
    price: PriceTable | None = None
    labels: Mapping[str, str] = field(factory=dict)
    options: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class RetryTable:
    """``retry`` of a route. Times in seconds."""

    rounds: Count = Count(2)
    base: NonNegative = NonNegative(0.5)
    cap: NonNegative = NonNegative(10.0)


@frozen(kw_only=True)
class RouteTable:
    """``[routes.NAME]``. Times in seconds."""

    targets: tuple[str, ...]
    strategy: ComponentTable | str = "first-available"
    deadline: Positive | None = None
    attempt_timeout: Positive | None = None
    retry: RetryTable = RetryTable()
    failover_on: tuple[ErrorName, ...] = ()


@frozen(kw_only=True)
class ProfileTable:
    """``[profiles.NAME]``: what a profile adds to the rest of the file, or puts in its place."""

    extends: str | None = None
    plugins: PluginsTable = PluginsTable()
    providers: Mapping[Name, ProviderTable] = field(factory=dict)
    routes: Mapping[Name, RouteTable] = field(factory=dict)
    observers: Mapping[Name, ComponentTable] = field(factory=dict)


@frozen(kw_only=True)
class Document:
    """The whole file."""

    mlo: MloTable = MloTable()
    plugins: PluginsTable = PluginsTable()
    profiles: Mapping[Name, ProfileTable] = field(factory=dict)
    providers: Mapping[Name, ProviderTable] = field(factory=dict)
    routes: Mapping[Name, RouteTable] = field(factory=dict)
    observers: Mapping[Name, ComponentTable] = field(factory=dict)


def _float(value: Any) -> float:
    return CONVERTER.structure(value, float)


def _positive(value: Any) -> float:
    number = _float(value)
    if number <= 0:
        raise Faults(Fault((), "expected a number greater than 0"))
    return number


def _non_negative(value: Any) -> float:
    number = _float(value)
    if number < 0:
        raise Faults(Fault((), "expected a number that is not negative"))
    return number


def _at_least(least: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        number = CONVERTER.structure(value, int)
        if number < least:
            raise Faults(Fault((), f"expected an integer that is at least {least}"))
        return number

    return check


def _amount(value: Any) -> int:
    """Currency units as nano-units, without a float in between."""
    number = CONVERTER.structure(value, Decimal) * _NANO
    if number < 0:
        raise Faults(Fault((), "a price is not negative"))
    if number != number.to_integral_value():
        raise Faults(Fault((), "a price has at most nine decimals"))
    return int(number)


def _text(value: Any) -> str:
    return CONVERTER.structure(value, str)


def _pattern(value: Any) -> str:
    text = _text(value)
    fault = pattern_fault(text)
    if fault:
        raise Faults(Fault((), fault, "globs on id, kind:id or dist:NAME"))
    return text


def _currency(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch("[A-Z]{3}", text):
        raise Faults(Fault((), "expected an ISO 4217 code such as RUB"))
    return text


def _word(value: Any) -> str:
    text = _text(value)
    if not text or text != text.strip():
        raise Faults(Fault((), "expected text without spaces around it"))
    return text


def _version_prefix(value: Any) -> str:
    text = _word(value)
    if not re.fullmatch(r"\d[\w.+!-]*", text):
        raise Faults(Fault((), f"{text!r} is no beginning of a version", 'write "1.4" for 1.4, 1.4.2 and 1.4rc1'))
    return text


def _name(value: Any) -> str:
    """Targets are written ``INSTANCE:MODEL`` and ``route:NAME``, so no name holds a colon."""
    if not re.fullmatch(r"[^\s:]+", value):
        raise Faults(Fault((), "a name holds neither spaces nor colons"))
    if value == "route":
        raise Faults(Fault((), "the name route is reserved for targets such as route:NAME"))
    return str(value)


def _error_name(value: Any) -> str:
    text = _text(value)
    if text not in FAILOVER:
        raise Faults(Fault((), "unknown error class", near(text, FAILOVER)))
    return text


for _kind, _check in (
    (Positive, _positive),
    (NonNegative, _non_negative),
    (Count, _at_least(1)),
    (Cap, _at_least(0)),
    (Amount, _amount),
    (Currency, _currency),
    (Pattern, _pattern),
    (VersionPrefix, _version_prefix),
    (Word, _word),
    (Name, _name),
    (ErrorName, _error_name),
):
    fault_hook(_kind, _check)
open_table(ComponentTable)
open_table(ProviderTable)
