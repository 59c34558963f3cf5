"""Options of an emulator as text: `NAME=VALUE` pairs set the fields of an attrs class.

A field's annotation says what a value may be; ``setting(default, "what it does")`` gives it a description. A ``bool``
may be named without a value; so may a field with ``bare=…``, which is the value it then gets.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Iterable, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from attrs import NOTHING, AttrsInstance, evolve, field, fields, frozen

__all__ = ["BadSetting", "Latency", "Setting", "configure", "describe", "setting"]

T = TypeVar("T", bound=AttrsInstance)
_HELP, _BARE = "help", "bare"
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


class BadSetting(ValueError):
    """A `NAME=VALUE` pair that does not fit; the message says what would."""


@frozen
class Latency:
    """A distribution of delays in seconds.

    ``constant:S``, ``uniform:LOW,HIGH``, or ``lognormal:MEDIAN,SIGMA`` (as text; a bare number is a constant).
    """

    kind: Literal["constant", "uniform", "lognormal"] = "constant"
    first: float = 0.0
    second: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read the text form.

        Raises:
            BadSetting: when it is none of the three.
        """
        kind, found, numbers = text.partition(":")
        if not found:
            kind, numbers = "constant", text
        arity = {"constant": 1, "uniform": 2, "lognormal": 2}.get(kind)
        parts = numbers.split(",")
        try:
            values = [float(part) for part in parts]
        except ValueError as error:
            raise BadSetting(f"{text!r}: expected constant:S, uniform:LOW,HIGH or lognormal:MEDIAN,SIGMA") from error
        if arity != len(values) or any(value < 0 or not math.isfinite(value) for value in values):
            raise BadSetting(f"{text!r}: expected constant:S, uniform:LOW,HIGH or lognormal:MEDIAN,SIGMA")
        return cls(kind, *values)  # type: ignore[arg-type]  # `arity` is found for the three kinds only

    def sample(self, rng: random.Random) -> float:
        """One delay, in seconds."""
        if self.kind == "constant":
            return self.first
        if self.kind == "uniform":
            return rng.uniform(self.first, self.second)
        return self.first * math.exp(rng.gauss(0.0, self.second))

    def __str__(self) -> str:
        numbers = f"{self.first:g}" if self.kind == "constant" else f"{self.first:g},{self.second:g}"
        return f"{self.kind}:{numbers}"


@frozen(kw_only=True)
class Setting:
    """One option as a person sees it."""

    name: str
    type: str
    default: str
    help: str


def setting(default: Any, help: str, *, bare: Any = None) -> Any:  # noqa: A002 - reads as in click and argparse
    """An attrs field with a description; ``bare`` is its value when it is named without one."""
    return field(default=default, metadata={_HELP: help, _BARE: bare})


def configure(options: T, pairs: Iterable[str]) -> T:
    """A copy of ``options`` with the fields that ``pairs`` name set to the values they give.

    Raises:
        BadSetting: for an unknown name (near names are proposed) or a value that does not fit.
    """
    known = {attribute.name: attribute for attribute in fields(type(options))}
    types = get_type_hints(type(options))
    changes: dict[str, Any] = {}
    for pair in pairs:
        written, given, text = pair.partition("=")
        name = written.strip().replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(_dashed(one) for one in near)}?" if near else ""
            raise BadSetting(f"{written!r}: there is no such option{hint}")
        if given:
            changes[name] = _value(types[name], text.strip(), written)
        else:
            changes[name] = _bare(types[name], known[name].metadata.get(_BARE), written)
    changed: T = evolve(cast("Any", options), **changes)  # mypy knows no bound for "an attrs class"
    return changed


def describe(options_class: type[AttrsInstance]) -> Sequence[Setting]:
    """The options of a class, in the order of its fields."""
    types = get_type_hints(options_class)
    return [
        Setting(
            name=_dashed(attribute.name),
            type=_type_name(types[attribute.name]),
            default="" if attribute.default is NOTHING else _shown(attribute.default),
            help=attribute.metadata.get(_HELP, ""),
        )
        for attribute in fields(options_class)
    ]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _shown(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _choices(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)


def _type_name(kind: Any) -> str:
    names: list[str] = []
    for choice in _choices(kind):
        if get_origin(choice) is Literal:
            names.extend(map(str, get_args(choice)))
        elif get_origin(choice) is tuple:
            names.append("a,b,…")
        else:
            names.append("none" if choice is NoneType else choice.__name__.lower())
    return "|".join(names)


def _bare(kind: Any, bare: Any, written: str) -> Any:
    if kind is bool:
        return True
    if bare is None:
        raise BadSetting(f"{written!r} needs a value: {written}=… ({_type_name(kind)})")
    return bare


def _value(kind: Any, text: str, written: str) -> Any:
    for choice in _choices(kind):
        try:
            return _one(choice, text)
        except BadSetting:
            raise
        except ValueError:
            continue
    raise BadSetting(f"{written}={text}: expected {_type_name(kind)}")


def _one(kind: Any, text: str) -> Any:
    if get_origin(kind) is Literal:
        return _literal(get_args(kind), text)
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is NoneType:
        return _literal(("none",), text) and None
    if kind is bool:
        return _boolean(text)
    return kind.parse(text) if hasattr(kind, "parse") else kind(text)


def _literal(choices: tuple[Any, ...], text: str) -> Any:
    for choice in choices:
        if str(choice) == text:
            return choice
    raise ValueError(text)


def _boolean(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)
