"""Who wants to know at once when a key ends: the streams that are open on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from mlo_gateway.contracts import Principal, Unwatch

__all__ = ["Watchers"]

_MOST_REMEMBERED = 10_000


class Watchers:
    """Callbacks by key. Each is called once at most, in the thread of the event loop, and must not block."""

    def __init__(self) -> None:
        self._told: dict[str, dict[int, Callable[[str], None]]] = {}
        self._ends: dict[str, float] = {}
        self._numbers = itertools.count()
        self._ended: dict[str, str] = {}

    def __len__(self) -> int:
        return sum(map(len, self._told.values()))

    def watch(self, principal: Principal, told: Callable[[str], None]) -> Unwatch:
        """Have ``told(why)`` called when the key ends, until the result is called.

        A key that ended since it was looked up, while its request came in, is told of at once.
        """
        if principal.key_id in self._ended:
            told(self._ended[principal.key_id])
            return _nothing
        ident, number = principal.key_id, next(self._numbers)
        watchers = self._told.setdefault(ident, {})
        watchers[number] = told
        if principal.expires_at is not None:
            self._ends.setdefault(ident, principal.expires_at)

        def leave() -> None:
            if watchers.pop(number, None) is not None and not watchers:
                self._forget(ident, watchers)

        return leave

    def moved(self, ident: str, ends: float | None) -> None:
        """The key opens, and ends at another time now, whatever was said of it before."""
        self._ended.pop(ident, None)
        if ident not in self._told:
            return
        if ends is None:
            self._ends.pop(ident, None)
        else:
            self._ends[ident] = ends

    def ended(self, ident: str, why: str) -> None:
        """The key has ended: tell everybody who watches it."""
        if len(self._ended) >= _MOST_REMEMBERED:
            del self._ended[next(iter(self._ended))]
        self._ended[ident] = why
        watchers = self._told.pop(ident, {})
        self._ends.pop(ident, None)
        while watchers:
            _, told = watchers.popitem()
            told(why)

    def expired(self, now: float) -> None:
        """Tell everybody whose key has expired."""
        for ident in [ident for ident, ends in self._ends.items() if ends <= now]:
            self.ended(ident, "The API key has expired.")

    def _forget(self, ident: str, watchers: dict[int, Callable[[str], None]]) -> None:
        if self._told.get(ident) is watchers:
            del self._told[ident]
            self._ends.pop(ident, None)


def _nothing() -> None:
    """There is nothing to leave."""
