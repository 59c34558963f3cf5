"""From the bytes of a stream to events, without I/O."""

from __future__ import annotations

from collections.abc import Sequence

from mlo.errors import ProviderError, TransportFailed
from mlo.events import Event, TextDelta
from mlo_sdk.sse import SseParser

from .reading import Reader

__all__ = ["StreamReader"]

_DONE = "[DONE]"
_BLANK_LINE = b"\n\n"


class StreamReader:
    """Feeds ``reader`` with the bytes of a stream as they come.

    What precedes a failure is still delivered: :meth:`feed` returns it, and :attr:`error` is set.
    """

    def __init__(self, reader: Reader, request_id: str | None = None) -> None:
        self._reader = reader
        self._parser = SseParser()
        self._request_id = request_id
        self._between = False  # whether the parser stands between two events
        self.error: ProviderError | None = None

    @property
    def complete(self) -> bool:
        """Whether the answer is whole."""
        return self._reader.complete

    @property
    def ended(self) -> bool:
        """Whether nothing that follows can matter."""
        return self._reader.ended or self.error is not None

    def feed(self, data: bytes) -> Sequence[Event]:
        """The events that ``data`` completes."""
        events: list[Event] = []
        shortcut = self._reader.shortcut
        try:
            while data and not self._reader.ended:
                if shortcut is None:
                    self._parse(data, events)
                    break
                if self._between and shortcut.ready:
                    texts, size = shortcut.take(data)
                    events += [TextDelta(text) for text in texts if text]
                    data = data[size:]
                data = self._parse_some(data, events, learning=not shortcut.ready)
        except ProviderError as error:
            self.error = error
        return events

    def _parse_some(self, data: bytes, events: list[Event], *, learning: bool) -> bytes:
        """Read one event where that is enough to get onto the short way again, else everything; what is left."""
        end = data.find(_BLANK_LINE) + len(_BLANK_LINE) if learning or not self._between else 0
        if end < len(_BLANK_LINE):
            end = len(data)
        self._parse(data[:end], events)
        return data[end:]

    def _parse(self, data: bytes, events: list[Event]) -> None:
        reader = self._reader
        self._between = data.endswith(_BLANK_LINE)
        for frame in self._parser.feed(data):
            if frame.data == _DONE:
                reader.done()
            else:
                events.extend(reader.feed_text(frame.data, frame.event))
            if reader.ended:
                return

    def end(self) -> Sequence[Event]:
        """The last events.

        Raises:
            ProviderError: the failure inside the stream; ``TransportFailed`` if the answer is not whole.
        """
        if self.error is not None:
            raise self.error
        if not self._reader.complete:
            raise TransportFailed("the stream ended before the answer did", request_id=self._request_id)
        return self._reader.end()
