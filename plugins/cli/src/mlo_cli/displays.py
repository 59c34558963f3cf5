"""Where an answer goes while it comes in. Every display takes all events, streamed or not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from mlo.events import Event, TextDelta

from .clean import printable
from .report import event_object, response_object

if TYPE_CHECKING:
    from mlo import ChatResponse

__all__ = ["Display", "JsonDisplay", "NdjsonDisplay", "PlainDisplay", "WaitingDisplay", "print_json", "styled"]


class Display(Protocol):
    """Shows one answer. It is a context manager that lasts as long as the answer may still grow."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Take one event."""

    def finish(self, response: ChatResponse) -> None:
        """Take the whole answer, after the context was left."""


def styled(stream: IO[str], environ: dict[str, str]) -> bool:
    """Whether ``stream`` is a terminal that can move its cursor."""
    return stream.isatty() and environ.get("TERM", "") not in {"", "dumb"}


def print_json(value: Any) -> None:
    """Print ``value`` on one line of standard output, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class PlainDisplay:
    """The text as it is; made harmless only where a terminal would act upon it."""

    def __init__(self) -> None:
        self._out = sys.stdout
        self._last = "\n"
        self._clean = printable if self._out.isatty() else str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._last != "\n":
            self._out.write("\n")
        self._out.flush()

    def show(self, event: Event) -> None:
        """Print new text at once."""
        if isinstance(event, TextDelta) and event.text:
            self._out.write(self._clean(event.text))
            self._out.flush()
            self._last = event.text[-1]

    def finish(self, response: ChatResponse) -> None:
        """Nothing: the text is there."""


class JsonDisplay:
    """One JSON object, once the answer is complete."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, event: Event) -> None:
        """Nothing yet."""

    def finish(self, response: ChatResponse) -> None:
        """Print the object."""
        print_json(response_object(response))


class NdjsonDisplay(JsonDisplay):
    """A JSON object for each event, and the whole answer as the last one."""

    def show(self, event: Event) -> None:
        """Print the event."""
        print_json(event_object(event))

    def finish(self, response: ChatResponse) -> None:
        """Print the answer."""
        print_json({"event": "Response", **response_object(response)})


class WaitingDisplay:
    """Another display, with a spinner on standard error until its first event."""

    def __init__(self, inner: Display, spinner: Callable[[], AbstractContextManager[object]]) -> None:
        self._inner = inner
        self._spinner: AbstractContextManager[object] | None = spinner()

    def __enter__(self) -> Self:
        if self._spinner is not None:
            self._spinner.__enter__()
        self._inner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._stop()
        self._inner.__exit__(kind, error, trace)

    def _stop(self) -> None:
        spinner, self._spinner = self._spinner, None
        if spinner is not None:
            spinner.__exit__(None, None, None)

    def show(self, event: Event) -> None:
        """Take the spinner away and show the event."""
        if isinstance(event, TextDelta):
            self._stop()
        self._inner.show(event)

    def finish(self, response: ChatResponse) -> None:
        """Pass the answer on."""
        self._inner.finish(response)
