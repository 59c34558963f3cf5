"""Which price applies to a call.

Of the rows that are valid at the time of the call, the one that names most exactly who answered: first by provider (the
instance, then the plugin, then a glob, ``*`` last), then by model (the name itself, then the glob with most letters).
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from .rows import PriceRow

__all__ = ["PriceBook"]

_REMEMBERED = 4096
_WILD = frozenset("*?[")


class PriceBook:
    """A set of prices to look up in. What is looked up twice is remembered: a look-up then takes about 1 µs."""

    def __init__(self, rows: Iterable[PriceRow]) -> None:
        self._rows = tuple(rows)
        self._found: dict[tuple[str, str, tuple[str, ...]], tuple[PriceRow, ...]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, *, provider: str, plugin: str, models: tuple[str | None, ...], moment: int) -> PriceRow | None:
        """The price that applies at ``moment`` (microseconds since 1970 UTC), ``None`` if there is none.

        ``provider`` is the name of the instance, ``plugin`` the id of its plugin. ``models`` are the names that the
        model goes by, such as the one that was asked for and the one that the answer names: a row for either applies,
        and where both have one equally exact, that for the first.
        """
        names = tuple(name for name in models if name)
        key = (provider, plugin, names)
        ranked = self._found.get(key)
        if ranked is None:
            if len(self._found) >= _REMEMBERED:  # names of models come from callers: there may be any number of them
                self._found.clear()
            ranked = self._found[key] = self._ranked(provider, plugin, names)
        return next((row for row in ranked if row.covers(moment)), None)

    def _ranked(self, provider: str, plugin: str, models: tuple[str, ...]) -> tuple[PriceRow, ...]:
        found = []
        for row in self._rows:
            who = _best(row.provider, (provider, plugin))
            what = _best(row.model, models)
            if who is not None and what is not None:
                found.append((who, what, row.key, row))
        found.sort(key=lambda each: each[:3])
        return tuple(row for *_, row in found)


def _best(pattern: str, names: tuple[str, ...]) -> tuple[int, int, int] | None:
    """How well a pattern fits the best of the names, the least being the best; ``None`` if it fits none."""
    fits = [fit for place, name in enumerate(names) if (fit := _fit(pattern, name, place)) is not None]
    return min(fits, default=None)


def _fit(pattern: str, name: str, place: int) -> tuple[int, int, int] | None:
    if pattern == name:
        return (0, 0, place)
    if _WILD.isdisjoint(pattern) or not fnmatchcase(name, pattern):
        return None
    return (1, -sum(letter not in _WILD for letter in pattern), place)
