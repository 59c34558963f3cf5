"""Looking over an implementation's shoulder: where it suspends, what it leaves open, what it lets out."""

from __future__ import annotations

import sys
import traceback
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from types import AsyncGeneratorType, TracebackType
from typing import Any, Self, cast

import anyio
import attrs
from attrs import frozen

from mlo.errors import MloError
from mlo.secret import Secret

__all__ = ["CancelReport", "GeneratorWatch", "Stepper", "cancel_at", "leaks_in", "secrets_in", "texts_of"]

_LONG_ENOUGH = 6  # a shorter "secret" occurs in innocent text by chance


class GeneratorWatch:
    """Notices asynchronous generators of ``packages`` that were started and then neither finished nor closed.

    A generator that is dropped instead of closed runs its cleanup whenever the event loop gets round to it, in another
    task: the connection below it stays open until then.
    """

    def __init__(self, packages: frozenset[str]) -> None:
        self._packages = packages
        self._seen: list[weakref.ref[AsyncGeneratorType[Any, Any]]] = []
        self._dropped: list[str] = []

    def __enter__(self) -> Self:
        self._old = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._started, finalizer=self._finalized)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.set_asyncgen_hooks(firstiter=self._old.firstiter, finalizer=self._old.finalizer)

    def left_open(self) -> tuple[str, ...]:
        """The names of those generators."""
        alive = [generator for ref in self._seen if (generator := ref()) is not None]
        return (*self._dropped, *(generator.__qualname__ for generator in alive if generator.ag_frame is not None))

    def _started(self, generator: AsyncGenerator[Any, Any]) -> None:
        if _module_of(generator) in self._packages:
            self._seen.append(weakref.ref(cast("AsyncGeneratorType[Any, Any]", generator)))
        if self._old.firstiter is not None:
            self._old.firstiter(generator)

    def _finalized(self, generator: AsyncGenerator[Any, Any]) -> None:
        if _module_of(generator) in self._packages:
            self._dropped.append(cast("AsyncGeneratorType[Any, Any]", generator).__qualname__)
        if self._old.finalizer is not None:
            self._old.finalizer(generator)


def _module_of(generator: AsyncGenerator[Any, Any]) -> str:
    """The top-level package that a generator was written in; nothing for the kit's own."""
    frame = cast("AsyncGeneratorType[Any, Any]", generator).ag_frame
    module = str(frame.f_globals.get("__name__", "")) if frame is not None else ""
    return "" if module.startswith("mlo_sdk.testing") else module.partition(".")[0]


class Stepper(Generator[Any, Any, Any]):
    """Drives a coroutine and is called back each time it suspends; transparent to the event loop."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], suspended: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._suspended = suspended
        self.cancelled = False

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def send(self, value: Any) -> Any:
        """Let it go on with ``value``."""
        self._note(getattr(value, "error", None))  # trio sends an outcome that holds the error
        trap = self._coroutine.send(value)
        self._suspended()
        return trap

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:  # noqa: ARG002 - the signature is the event loop's
        """Let it go on with an error."""
        error = val if val is not None else typ
        self._note(error)
        trap = self._coroutine.throw(error)
        self._suspended()
        return trap

    def close(self) -> None:
        """Let it end."""
        self._coroutine.close()

    def _note(self, error: object) -> None:
        self.cancelled = self.cancelled or isinstance(error, anyio.get_cancelled_exc_class())


@frozen(kw_only=True)
class CancelReport:
    """What became of a call that was cancelled.

    ``reached``: it came to the chosen suspension at all. ``swallowed``: a cancellation was delivered to it and did not
    come out again. ``error`` is what came out instead, if anything.
    """

    reached: bool
    swallowed: bool
    error: MloError | None = None


async def cancel_at(call: Callable[[], Coroutine[Any, Any, object]], suspension: int) -> CancelReport:
    """Run ``call`` and cancel it when it suspends for the time number ``suspension``, counted from 1."""
    count = 0
    error: MloError | None = None
    with anyio.CancelScope() as scope:

        def suspended() -> None:
            nonlocal count
            count += 1
            if count == suspension:
                stepper.cancelled = False  # libraries cancel tasks of their own: trio does when it connects
                scope.cancel()

        stepper = Stepper(call(), suspended)
        try:
            await stepper
        except MloError as other:
            error = other
    reached = count >= suspension
    return CancelReport(
        reached=reached, swallowed=reached and stepper.cancelled and not scope.cancelled_caught, error=error
    )


def secrets_in(value: object) -> frozenset[str]:
    """The texts of all secrets inside an attrs value, a mapping or a sequence."""
    if isinstance(value, Secret):
        return frozenset({value.reveal()}) if len(value.reveal()) >= _LONG_ENOUGH else frozenset()
    if isinstance(value, Mapping):
        inner: list[object] = list(value.values())
    elif isinstance(value, tuple | list | set | frozenset):
        inner = list(value)
    elif attrs.has(type(value)):
        inner = [getattr(value, attribute.name) for attribute in attrs.fields(cast("Any", type(value)))]
    else:
        return frozenset()
    return frozenset().union(*(secrets_in(item) for item in inner))


def texts_of(error: BaseException) -> tuple[str, ...]:
    """Everything that a log might show of an error, its causes included."""
    return (str(error), repr(error), "".join(traceback.format_exception(error)))


def leaks_in(texts: tuple[str, ...], secrets: frozenset[str]) -> tuple[str, ...]:
    """Where the texts show a secret: the surroundings, with the secret cut out."""
    return tuple(
        text[max(0, text.find(secret) - 30) : text.find(secret)] + "▮▮▮"
        for text in texts
        for secret in secrets
        if secret in text
    )
