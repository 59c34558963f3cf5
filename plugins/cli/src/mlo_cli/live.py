"""Answers on a terminal: Markdown, drawn while it grows.

Complete blocks are printed for good and scroll away as usual; only the last block, which may still change, is drawn
anew. So an answer longer than the screen neither flickers nor leaves torn copies of itself in the scrollback.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from rich.status import Status
from rich.text import Text

from mlo.events import Event, ReasoningDelta, TextDelta

from .clean import printable
from .markdown_blocks import split

if TYPE_CHECKING:
    from mlo import ChatResponse

__all__ = ["Block", "LiveDisplay", "StructureDisplay", "Tail", "console", "spinner"]

_FRAMES_PER_SECOND = 12
_SPLIT_EVERY = 0.1
"""Seconds between two searches for complete blocks, so that a long block is not parsed anew for each token."""
_THOUGHT = 60
"""So many of the last characters of the model's reasoning are shown while it thinks."""


def console(*, stderr: bool = False) -> Console:
    """The terminal."""
    return Console(stderr=stderr, highlight=False)


def spinner(waiting: str) -> Status:
    """A spinner on standard error."""
    return console(stderr=True).status(waiting, spinner="dots")


class Block:
    """Markdown without blank lines around it and without spaces at the ends of lines."""

    def __init__(self, source: str) -> None:
        self._markdown = Markdown(source, hyperlinks=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        lines = [_stripped(line) for line in console.render_lines(self._markdown, options, pad=False)]
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        for line in lines:
            yield from line
            yield Segment.line()


def _stripped(line: list[Segment]) -> list[Segment]:
    """A line without trailing space, unless the space is coloured."""
    kept = list(line)
    while kept and (kept[-1].style is None or kept[-1].style.bgcolor is None):
        last = kept.pop()
        if rest := last.text.rstrip():
            kept.append(Segment(rest, last.style))
            break
    return kept


class Tail:
    """As much of the end of something as fits the screen."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw its last lines."""
        lines = console.render_lines(self._renderable, options, pad=False)
        for line in lines[-max(1, console.size.height - 1) :]:
            yield from line
            yield Segment.line()


class LiveDisplay:
    """Markdown as it comes in, after a spinner."""

    def __init__(self, waiting: str, terminal: Console | None = None) -> None:
        self._console = terminal or console()
        self._spinner = Spinner("dots", Text(waiting, style="dim"))
        self._waiting = waiting
        self._thought = ""
        self._tail = ""
        self._printed = False
        self._last_split = 0.0
        self._live = Live(
            get_renderable=self._frame,
            console=self._console,
            refresh_per_second=_FRAMES_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        self._print(self._tail)
        self._tail = ""

    def show(self, event: Event) -> None:
        """Add new text; complete blocks are printed for good."""
        if isinstance(event, ReasoningDelta):
            self._thought = " ".join((self._thought + printable(event.text))[-_THOUGHT:].split())
            self._spinner.update(text=Text(f"{self._waiting} {self._thought}", style="dim"))
        elif isinstance(event, TextDelta) and event.text:
            self._tail += printable(event.text)
            if "\n" in event.text and time.monotonic() - self._last_split > _SPLIT_EVERY:
                self._commit()

    def finish(self, response: ChatResponse) -> None:
        """Nothing: the text is there."""

    def _commit(self) -> None:
        complete, tail = split(self._tail)
        if complete:
            # first the tail: the drawing thread must not show a block that is printed already
            self._tail = tail
            self._print(complete)
        self._last_split = time.monotonic()

    def _print(self, source: str) -> None:
        if source.strip():
            # Live works out how far to move the cursor up before the console writes: its drawing thread must not draw
            # in between, or a line is lost.
            with self._live._lock:  # noqa: SLF001 - rich offers no other way to keep the two apart
                self._console.print(Group(*self._spaced(source)), end="")
            self._printed = True

    def _spaced(self, source: str) -> Iterable[RenderableType]:
        """A block, a blank line before it if it is not the first."""
        return [Text(""), Block(source)] if self._printed else [Block(source)]

    def _frame(self) -> RenderableType:
        tail = self._tail
        if tail.strip():
            return Tail(Group(*self._spaced(tail)))
        return Text("") if self._printed else self._spinner


class StructureDisplay:
    """JSON, indented and coloured, once it is complete; as it is, where the model wrote something else."""

    def __init__(self) -> None:
        self._console = console()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, event: Event) -> None:
        """Nothing yet."""

    def finish(self, response: ChatResponse) -> None:
        """Print the structure."""
        try:
            json.loads(response.text)
        except ValueError:
            self._console.print(Text(printable(response.text)))
        else:
            self._console.print_json(response.text, ensure_ascii=False)
