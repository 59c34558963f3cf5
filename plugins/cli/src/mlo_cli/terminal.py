"""Lines from the person at the keyboard, with editing, history and completion; or from a pipe, without any of that."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

__all__ = ["Reader", "history_file", "keyboard", "message", "pipe"]

Reader = Callable[[str], str]
"""Takes a prompt and returns a line without its end; raises ``EOFError`` at the end of input."""

_HISTORY_LENGTH = 1000
_CONTINUED = "\\"


def history_file() -> Path:
    """Where the lines of earlier sessions are kept: below ``$XDG_STATE_HOME``, or ``~/.local/state``."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "mlo" / "chat_history"


def message(read: Reader, prompt: str, continued: str) -> str:
    """A message: one line, or several of which all but the last end in a backslash."""
    line = read(prompt)
    lines = []
    while line.endswith(_CONTINUED):
        lines.append(line[:-1])
        line = read(continued)
    return "\n".join([*lines, line]).strip()


def pipe(_prompt: str) -> str:
    """The next line of standard input, where nobody sits and reads prompts.

    Raises:
        EOFError: at its end.
    """
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.removesuffix("\n")


@contextlib.contextmanager
def keyboard(history: Path | None, words: Callable[[str], Sequence[str]]) -> Iterator[Reader]:
    """A reader with line editing.

    Lines go to ``history`` if given; Tab offers what ``words`` makes of the line so far.
    """
    try:
        import readline  # noqa: PLC0415 - not on every platform
    except ImportError:
        yield input
        return
    readline.clear_history()
    readline.set_history_length(_HISTORY_LENGTH)
    readline.set_completer(_completer(words, readline.get_line_buffer))
    readline.set_completer_delims(" ")
    readline.parse_and_bind("tab: complete")
    if history is not None:
        with contextlib.suppress(OSError):  # there is none yet, or it is not ours to read
            readline.read_history_file(history)
    try:
        yield input
    finally:
        readline.set_completer(None)
        if history is not None:
            _keep(history, readline.write_history_file)


def _completer(words: Callable[[str], Sequence[str]], line: Callable[[], str]) -> Callable[[str, int], str | None]:
    def complete(start: str, number: int) -> str | None:
        fitting = [word for word in words(line()) if word.startswith(start)]
        return fitting[number] if number < len(fitting) else None

    return complete


def _keep(history: Path, write: Callable[[Path], None]) -> None:
    """Save the history where only its owner can read it; a disk that refuses is no reason to fail."""
    with contextlib.suppress(OSError):
        history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        history.touch(mode=0o600)
        write(history)
