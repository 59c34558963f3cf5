"""Stop sequences on the client's side, for a vendor that has none. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlo.events import Event, Finished, TextDelta
from mlo.responses import FinishReason

__all__ = ["StopCutter", "cut_events", "cut_text"]


def cut_text(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """``text`` up to the first of ``stops``, and whether there was one."""
    cutter = StopCutter(stops)
    return cutter.feed(text) + cutter.close(), cutter.hit


def cut_events(event: Event, cutter: StopCutter) -> Iterator[Event]:
    """What becomes of one event of an answer; after ``Finished`` nothing more is to be read."""
    if isinstance(event, TextDelta):
        if text := cutter.feed(event.text):
            yield TextDelta(text)
        if cutter.hit:
            yield Finished(FinishReason.STOP)
        return
    if isinstance(event, Finished) and (rest := cutter.close()):
        yield TextDelta(rest)
    yield event


class StopCutter:
    """Passes text on up to the first stop sequence, however the text is split.

    Text that may turn out to be the beginning of a stop sequence is held back until it is clear. ``hit`` tells that
    one was found: what follows is dropped.
    """

    __slots__ = ("_held", "_longest", "_stops", "hit")

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._longest = max(map(len, self._stops), default=1)
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """The part of the text so far that can be passed on now."""
        if self.hit:
            return ""
        whole = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := whole.find(stop)) >= 0]
        if found:  # the one that is complete first: then it does not matter how the text was split
            self.hit, self._held = True, ""
            return whole[: min(found)[1]]
        safe = len(whole) - self._doubtful(whole)
        self._held = whole[safe:]
        return whole[:safe]

    def close(self) -> str:
        """What was held back, when nothing more comes."""
        rest, self._held = self._held, ""
        return rest

    def _doubtful(self, text: str) -> int:
        """The length of the longest end of ``text`` that some stop sequence begins with."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0
