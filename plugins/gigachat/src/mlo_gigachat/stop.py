"""Stop sequences on this side: GigaChat has none."""

from __future__ import annotations

__all__ = ["StopCutter"]


class StopCutter:
    """Passes text on until one of ``stops`` appears in it, however the text is cut into pieces.

    Text that might be the beginning of a stop sequence is held back until that is clear.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """The part of the text so far that can be shown; nothing any more after :attr:`hit`."""
        if self.hit or not self._stops:
            return "" if self.hit else text
        text = self._held + text
        found = [(place + len(stop), place) for stop in self._stops if (place := text.find(stop)) >= 0]
        if found:  # the one that is complete first counts, as it would for a model
            self.hit, self._held = True, ""
            return text[: min(found)[1]]
        keep = max(self._possible(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :] if keep else ""
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back, once the text is over."""
        held, self._held = self._held, ""
        return held

    @staticmethod
    def _possible(text: str, stop: str) -> int:
        """Length of the longest end of ``text`` that begins ``stop``."""
        longest = min(len(stop) - 1, len(text))
        return next((length for length in range(longest, 0, -1) if stop.startswith(text[-length:])), 0)
