"""Delivery of records to observers: pre-bound, guarded, and free of charge for records that nobody wants."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .api import Gatekeeper, Observer
from .records import Record

__all__ = ["Emitter"]

_MUTED_AFTER = 5
_log = logging.getLogger("mlo")


class _Guarded:
    __slots__ = ("failures", "keeps_gate", "name", "on")

    def __init__(self, name: str, observer: Observer) -> None:
        self.name = name
        self.on = observer.on
        self.keeps_gate = isinstance(observer, Gatekeeper)
        self.failures = 0


class Emitter:
    """Calls each observer with the records that it wants.

    ``capture`` says whether records may carry prompts and answers. ``table`` maps wanted record types to those who
    want them:
    build a record only if its type is there. ``gatekeepers`` are the observers that want to be asked first.
    """

    __slots__ = ("capture", "gatekeepers", "table")

    def __init__(self, observers: Iterable[tuple[str, Observer]] = (), *, capture: bool = False) -> None:
        self.capture = capture
        self.table: dict[type[Record], tuple[_Guarded, ...]] = {}
        self.gatekeepers: list[tuple[str, Gatekeeper]] = []
        for name, observer in observers:
            guarded = _Guarded(name, observer)
            if isinstance(observer, Gatekeeper):
                self.gatekeepers.append((name, observer))
            for kind in observer.wants:
                self.table[kind] = (*self.table.get(kind, ()), guarded)

    def emit(self, record: Record) -> None:
        """Deliver one record. An observer that fails is muted after the fifth time, with one warning.

        Not so a gatekeeper: who lets calls in must hear of their ends.
        """
        for guarded in self.table.get(type(record), ()):
            try:
                guarded.on(record)
            except Exception as error:  # noqa: BLE001 - a border: observers never break a call
                self._count_failure(guarded, error)

    def _count_failure(self, guarded: _Guarded, error: Exception) -> None:
        guarded.failures += 1
        if guarded.failures != _MUTED_AFTER:
            return
        fate = "goes on all the same, for it is a gatekeeper"
        if not guarded.keeps_gate:
            fate = "is muted until the configuration is reloaded"
            self.table = {
                kind: kept
                for kind, entries in self.table.items()
                if (kept := tuple(entry for entry in entries if entry is not guarded))
            }
        _log.warning(
            "observer %r failed %d times and %s; the last error follows",
            guarded.name,
            _MUTED_AFTER,
            fate,
            exc_info=error,
        )
