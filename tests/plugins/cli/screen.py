"""A terminal with a program in it: keys go in, and what a person would see comes out."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pexpect  # type: ignore[import-untyped]
import pyte

MLO = Path(sys.executable).with_name("mlo")
_WIDTH, _HEIGHT = 80, 24
_PATIENCE = 15.0
"""Seconds; a slow machine must not fail a test, a hanging program must."""
_SLICE = 0.1


class Screen:
    """`mlo` with ``arguments`` in a terminal of 80 by 24 characters, lines scrolled away included."""

    def __init__(self, *arguments: str, height: int = _HEIGHT) -> None:
        self._screen = pyte.HistoryScreen(_WIDTH, height, history=1000, ratio=0.001)
        self._stream = pyte.Stream(self._screen)
        self._child = pexpect.spawn(
            str(MLO),
            list(arguments),
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            dimensions=(height, _WIDTH),
            encoding="utf-8",
            timeout=_PATIENCE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.close(force=True)

    def type(self, text: str) -> None:
        """Type a line and press Enter."""
        self._child.sendline(text)

    def press(self, key: str) -> None:
        """Press Ctrl and `key`, or a key given as its character."""
        if len(key) == 1 and key.isalpha():
            self._child.sendcontrol(key)
        else:
            self._child.send(key)

    def wait_for(self, text: str, times: int = 1) -> None:
        """Until `text` is visible, so many times."""
        self._until(lambda: "\n".join(self.lines()).count(text) >= times, f"{times} x {text!r}")

    def wait_for_prompt(self) -> None:
        """Until the chat's prompt is the last thing on the screen, and the program waits for keys.

        The silence is for the latter: CPython loses a signal that comes after the prompt and before `select`.
        """
        self._until(lambda: self.lines()[-1:] == [">"], "a prompt")
        with contextlib.suppress(pexpect.TIMEOUT):
            while True:
                self._feed(_SLICE)

    def end(self) -> int:
        """The exit code, once the program has ended."""
        while self._pump():
            pass
        self._child.close()
        assert self._child.exitstatus is not None, f"ended by signal {self._child.signalstatus}"
        return int(self._child.exitstatus)

    def lines(self) -> list[str]:
        """Everything that a person can see or scroll back to, without empty lines at the end."""
        past = ["".join(row[column].data for column in range(_WIDTH)) for row in self._screen.history.top]
        lines = [line.rstrip() for line in [*past, *self._screen.display]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def cursor_hidden(self) -> bool:
        """Whether the program left the terminal without a cursor."""
        return bool(self._screen.cursor.hidden)

    def _until(self, condition: Callable[[], bool], wish: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            alive = self._pump()
            assert alive or condition(), f"the program ended without {wish}:\n" + show(self.lines())
            assert time.monotonic() < deadline, f"waited in vain for {wish}:\n" + show(self.lines())

    def _pump(self) -> bool:
        """Take what the program printed; whether it still runs."""
        try:
            self._feed(_SLICE)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        return True

    def _feed(self, patience: float) -> None:
        self._stream.feed(self._child.read_nonblocking(4096, timeout=patience))


def show(lines: Sequence[str]) -> str:
    """The screen, framed."""
    return "\n".join(f"|{line}" for line in lines)
