"""Label values: as many as were agreed on, and never what would break an exposition."""

from __future__ import annotations

from threading import RLock

__all__ = ["OTHER", "Vocabulary"]

OTHER = "_other"
_LONGEST = 128  # characters; longer names are nobody's names


class Vocabulary:
    """The values of one label: the first ``limit`` distinct ones are told apart, the rest is :data:`OTHER`.

    ``folded`` counts how often that happened. Values that come too late are not remembered, so memory stays bounded
    however many there are.
    """

    __slots__ = ("_known", "_limit", "_lock", "folded")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[str, str] = {}
        self._lock = RLock()
        self.folded = 0

    def of(self, value: str) -> str:
        """The value to show for ``value``."""
        known = self._known.get(value)
        return known if known is not None else self._learn(value)

    def known(self, value: str) -> str:
        """The same without learning a new one: for names that nothing vouches for."""
        return self._known.get(value, OTHER)

    def _learn(self, value: str) -> str:
        with self._lock:
            if value in self._known or value == OTHER:
                return self._known.get(value, OTHER)
            if len(self._known) >= self._limit or len(value) > _LONGEST:
                self.folded += 1
                return OTHER
            # half a surrogate pair would fail every scrape from here on
            shown = value.encode("utf-8", "replace").decode("utf-8")
            self._known[value] = shown
            return shown
