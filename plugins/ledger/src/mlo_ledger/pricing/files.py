"""Price files: tables of prices for people to write and to check into version control.

::

    provider = "gigachat"            # instance, plugin or glob; "*" (any) without
    currency = "RUB"
    unit = "million tokens"          # or "thousand tokens", "token"
    source = "where the numbers are from"
    checked_on = 2026-10-07
    valid_from = 2026-02-01
    vat = "included"

    [models."GigaChat-2"]            # or [[models."GigaChat-2"]] once per version
    aliases = ["GigaChat"]
    prompt = 65
    completion = 65
    cached = 0

What stands above the models applies to each of them that does not say otherwise. JSON has the same keys.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import evolve, field, frozen

from mlo.errors import ConfigError
from mlo.models import Price

from .amounts import CURRENCIES, UNITS, nano_per_million, plain
from .rows import PriceRow

__all__ = ["PriceFile", "parse_price_file"]

_ZONE = "Europe/Moscow"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = ("prompt", "completion", "cached", "tool", "reasoning")
_SHARED = frozenset(
    {"provider", "currency", "unit", "source", "checked_on", "valid_from", "valid_to", "time_zone", "vat"}
)
_TOP = _SHARED | {"models", "note"}
_OWN = _SHARED | {*_KINDS, "request", "aliases", "note"}
_NEEDED = ("currency", "unit", "source", "checked_on", "valid_from")


@frozen(kw_only=True)
class PriceFile:
    """The rows of a file, in its order; ``places`` says for each where it stands, such as ``models.GigaChat-2``."""

    name: str
    rows: tuple[PriceRow, ...]
    places: tuple[str, ...] = field(repr=False)


def parse_price_file(text: str, *, form: Literal["toml", "json"], name: str) -> PriceFile:
    """Read a price file; ``name`` is for messages.

    A version without an end of its own ends where the next one of the same model begins.

    Raises:
        ConfigError: when the file is wrong; ``problems`` lists everything that is.
    """
    reading = _Reading(name)
    table = _loaded(text, form, name)
    reading.check_names(table, _TOP, "")
    models = table.get("models")
    if not isinstance(models, dict) or not models:
        raise ConfigError("models", "a price file needs a table of models", source=name)
    shared = {key: value for key, value in table.items() if key in _SHARED}
    for model, found in models.items():
        versions = found if isinstance(found, list) else [found]
        for number, version in enumerate(versions):
            place = f"models.{model}" + (f"[{number}]" if isinstance(found, list) else "")
            if isinstance(version, dict):
                reading.add(model, {**shared, **version}, version, place)
            else:
                reading.fault(place, "is not a table")
    if reading.problems:
        raise _as_one(reading.problems)
    return PriceFile(name=name, rows=tuple(_closed(reading.rows)), places=tuple(reading.places))


def _loaded(text: str, form: Literal["toml", "json"], name: str) -> dict[str, Any]:
    try:
        if form == "toml":
            return tomllib.loads(text, parse_float=Decimal)
        found = json.loads(text, parse_float=Decimal, object_pairs_hook=_without_doubles)
    except ValueError as error:
        raise ConfigError(name, f"is not {form.upper()}: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(name, "a price file is an object with the keys currency, unit, models …")
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{', '.join(twice)} stands there twice")
    return found


class _Reading:
    """What has been read so far, and what was wrong with it."""

    def __init__(self, name: str) -> None:
        self.rows: list[PriceRow] = []
        self.places: list[str] = []
        self.problems: list[ConfigError] = []
        self._name = name

    def fault(self, path: str, reason: str, hint: str = "") -> None:
        self.problems.append(ConfigError(path, reason, hint=hint, source=self._name))

    def check_names(self, table: Mapping[str, Any], known: frozenset[str], place: str) -> None:
        for name in sorted(table.keys() - known):
            self.fault(f"{place}.{name}".lstrip("."), "there is no such key", "known: " + ", ".join(sorted(known)))

    def add(self, model: str, table: Mapping[str, Any], own: Mapping[str, Any], place: str) -> None:
        before = len(self.problems)
        self.check_names(own, _OWN, place)
        row = self._row(model, table, place)
        names = [model, *self._aliases(table, place)]
        if row is not None and len(self.problems) == before:
            self.rows += [evolve(row, model=name) for name in names]
            self.places += [place] * len(names)

    def _row(self, model: str, table: Mapping[str, Any], place: str) -> PriceRow | None:
        missing = [key for key in (*_NEEDED, "prompt", "completion") if key not in table]
        if missing:
            self.fault(place, f"has no {', '.join(missing)}", "an unknown price is no row at all; one for nothing is 0")
            return None
        if str(table["currency"]) not in CURRENCIES:
            self.fault(f"{place}.currency", f"{table['currency']!r} is no code of ISO 4217", "such as RUB")
        unit = str(table["unit"])
        if unit not in UNITS:
            self.fault(f"{place}.unit", f"unknown unit {unit!r}", "one of " + ", ".join(UNITS))
            return None
        zone = self._zone(table.get("time_zone", _ZONE), place)
        begin = self._moment(table["valid_from"], zone, f"{place}.valid_from")
        end = self._moment(table["valid_to"], zone, f"{place}.valid_to") if "valid_to" in table else None
        if end is not None and end <= begin:
            self.fault(f"{place}.valid_to", "is not after valid_from")
        return PriceRow(
            provider=self._text(table.get("provider", "*"), f"{place}.provider"),
            model=model,
            valid_from=begin,
            valid_to=end,
            vat=self._text(table["vat"], f"{place}.vat") if "vat" in table else None,
            price=self._price(table, unit, place),
        )

    def _price(self, table: Mapping[str, Any], unit: str, place: str) -> Price:
        amounts = {kind: self._amount(table.get(kind), unit, f"{place}.{kind}") for kind in _KINDS}
        try:
            request = plain(table.get("request", 0))
        except ValueError as error:
            request = 0
            self.fault(f"{place}.request", str(error))
        return Price(
            prompt=amounts["prompt"] or 0,
            completion=amounts["completion"] or 0,
            cached=amounts["cached"],
            tool=amounts["tool"],
            reasoning=amounts["reasoning"],
            request=request,
            currency=str(table["currency"]),
            source=self._text(table["source"], f"{place}.source"),
            checked_on=self._day(table["checked_on"], f"{place}.checked_on"),
        )

    def _amount(self, value: Any, unit: str, path: str) -> int | None:
        if value is None:
            return None
        try:
            return nano_per_million(value, unit)
        except ValueError as error:
            self.fault(path, str(error))
            return None

    def _aliases(self, table: Mapping[str, Any], place: str) -> Sequence[str]:
        found = table.get("aliases", [])
        if isinstance(found, list) and all(isinstance(each, str) and each for each in found):
            return found
        self.fault(f"{place}.aliases", "is not a list of names")
        return ()

    def _text(self, value: Any, path: str) -> str:
        if not isinstance(value, str) or not value.strip():
            self.fault(path, f"{value!r} is not a text")
        return str(value)

    def _zone(self, name: Any, place: str) -> ZoneInfo:
        try:
            return ZoneInfo(str(name))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fault(f"{place}.time_zone", f"there is no time zone {name!r}", "such as Europe/Moscow")
            return ZoneInfo(_ZONE)

    def _day(self, value: Any, path: str) -> str:
        try:
            return (value if isinstance(value, date) else date.fromisoformat(str(value))).isoformat()[:10]
        except ValueError:
            self.fault(path, f"{value!r} is not a day", "such as 2026-02-01")
            return ""

    def _moment(self, value: Any, zone: ZoneInfo, path: str) -> int:
        """Microseconds since 1970: a day begins at midnight in ``zone``, as does a time without an offset."""
        try:
            found = value if isinstance(value, date) else datetime.fromisoformat(str(value))
        except ValueError:
            self.fault(path, f"{value!r} is neither a day nor a time", "such as 2026-02-01")
            return 0
        moment = found if isinstance(found, datetime) else datetime.combine(found, time())
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        return (moment - _EPOCH) // timedelta(microseconds=1)


def _closed(rows: Sequence[PriceRow]) -> Sequence[PriceRow]:
    """The rows with the ends that follow from the beginnings of later ones."""
    found = []
    for row in rows:
        later = [each.valid_from for each in rows if each.key == row.key and each.valid_from > row.valid_from]
        found.append(evolve(row, valid_to=min(later)) if later and row.valid_to is None else row)
    return found


def _as_one(problems: Sequence[ConfigError]) -> ConfigError:
    if len(problems) == 1:
        return problems[0]
    lines = "".join(f"\n  {each.path}: {each.reason}{each.hint and f' ({each.hint})'}" for each in problems)
    return ConfigError("models", f"{len(problems)} problems:{lines}", source=problems[0].source, problems=problems)
