"""Where lines go: a thread of its own writes them, so that a slow disk holds up no call."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

__all__ = ["Destination", "Writer"]

_CLOSE_TIMEOUT = 5.0
_BATCH = 500


class Destination:
    """A file that may be moved away under the writer (log rotation), or standard error."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = self._opened()

    def write(self, lines: Iterable[str]) -> None:
        """Append ``lines``.

        Raises:
            OSError: when they cannot be written.
            ValueError: when standard error has been closed.
        """
        if self._path is not None and self._moved():
            self.close()
            self._file = self._opened()
        if self._file is not None:
            self._file.write("".join(f"{line}\n" for line in lines))
            self._file.flush()

    def close(self) -> None:
        """Close the file; standard error belongs to the process."""
        if self._path is not None and self._file is not None:
            self._file.close()

    def _opened(self) -> TextIO | None:
        if self._path is None:
            return sys.stderr
        return Path(self._path).open("a", encoding="utf-8", errors="backslashreplace")

    def _moved(self) -> bool:
        try:
            now = os.stat(self._path or "")  # noqa: PTH116 - compared with fstat
        except FileNotFoundError:
            return True
        held = os.fstat(self._file.fileno()) if self._file is not None else None
        return held is None or (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino)


class Writer:
    """Takes work without waiting and does it in order, in one thread.

    Each item is a function that gives lines, or none: making the text is left to the thread, too.
    Beyond ``limit`` waiting items further ones are dropped, and so is what cannot be put into words; ``dropped`` makes
    the line that says how many.
    """

    def __init__(self, destination: Destination, limit: int, dropped: Callable[[int], str]) -> None:
        self._destination = destination
        self._limit = limit
        self._dropped_line = dropped
        self._dropped = 0
        self._queue: SimpleQueue[Callable[[], Iterable[str]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mlo-log", daemon=True)
        self._thread.start()

    def put(self, item: Callable[[], Iterable[str]]) -> None:
        """Take one item; never waits."""
        if self._queue.qsize() >= self._limit:
            self._dropped += 1
        else:
            self._queue.put(item)

    @property
    def waiting(self) -> int:
        """How many items the thread has not yet taken up."""
        return self._queue.qsize()

    def close(self) -> None:
        """Wait until everything taken is written, but not for ever."""
        self._queue.put(None)
        self._thread.join(_CLOSE_TIMEOUT)

    def _run(self) -> None:
        going = True
        try:
            while going:
                items = self._next()
                going = items[-1] is not None
                self._write([line for item in items if item is not None for line in self._made(item)])
        finally:
            self._destination.close()

    def _made(self, item: Callable[[], Iterable[str]]) -> Iterable[str]:
        try:
            return item()
        except Exception:  # noqa: BLE001 - a border: a foreign error without a text must not end the log
            self._dropped += 1
            return ()

    def _next(self) -> list[Callable[[], Iterable[str]] | None]:
        """What waits, but at least one item; the one that ends it all comes last."""
        items = [self._queue.get()]
        while items[-1] is not None and len(items) < _BATCH and not self._queue.empty():
            items.append(self._queue.get())
        return items

    def _write(self, texts: list[str]) -> None:
        dropped, self._dropped = self._dropped, 0
        if dropped:
            texts.append(self._dropped_line(dropped))
        try:
            if texts:
                self._destination.write(texts)
        except (OSError, ValueError):
            self._dropped += dropped + len(texts)  # a full disk is told about when there is room again
