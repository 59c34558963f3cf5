"""How the ledger is: what it says of itself, and its warnings, once per change."""

from __future__ import annotations

import logging
import threading
from time import time
from typing import Literal

from attrs import evolve, field, frozen

__all__ = ["LedgerState", "Watch"]

_log = logging.getLogger("mlo")


@frozen(kw_only=True)
class LedgerState:
    """The state of a ledger.

    ``backlog`` is how many calls are written down but not yet in the database, ``lag`` for how many seconds the oldest
    of them has waited. ``database_error`` and ``journal_error`` say what is wrong now, ``since`` from when on (Unix
    time). ``dropped`` calls are in no store at all, ``refused_rows`` ones are in the journal only, since the database
    does not take them; ``indeterminate`` were found begun and not ended at the last start. ``unreserved`` calls were
    let through a limit on spending without anything reserved, since their price was not known before.
    """

    policy: Literal["strict", "best-effort"] = "best-effort"
    backlog: int = 0
    lag: float = 0.0
    committed: int = 0
    database_error: str | None = None
    journal_error: str | None = None
    since: float | None = None
    dropped: int = 0
    refused_rows: int = 0
    indeterminate: int = 0
    unreserved: int = 0
    limits: int = 0
    over: tuple[str, ...] = field(default=())


class Watch:
    """Keeps what goes wrong, from any thread. ``name`` is the ledger's in the configuration."""

    def __init__(self, policy: Literal["strict", "best-effort"], name: str) -> None:
        self._lock = threading.RLock()  # a finalizer may end a call while it is held
        self._name = name
        self._state = LedgerState(policy=policy)

    @property
    def state(self) -> LedgerState:
        """What is known."""
        return self._state

    def count(self, **more: int) -> None:
        """Add to counters."""
        with self._lock:
            self._state = evolve(self._state, **{name: getattr(self._state, name) + n for name, n in more.items()})

    def over(self, scopes: tuple[str, ...]) -> None:
        """These limits, which only warn, have been passed."""
        with self._lock:
            new = [scope for scope in scopes if scope not in self._state.over]
            self._state = evolve(self._state, over=scopes)
        for scope in new:
            _log.warning("ledger %r: %s is over its limit, which does not block calls", self._name, scope)

    def database(self, error: str | None) -> None:
        """The database serves, or does not."""
        before = self._state.database_error
        if before != error:
            with self._lock:
                self._state = _dated(evolve(self._state, database_error=error))
            self._tell("the database", before, error)

    def journal(self, error: str | None) -> None:
        """The journal can be written, or not."""
        before = self._state.journal_error
        if before != error:
            with self._lock:
                self._state = _dated(evolve(self._state, journal_error=error))
            self._tell("the journal", before, error)

    def _tell(self, what: str, before: str | None, error: str | None) -> None:
        if error is None:
            _log.warning("ledger %r: %s serves again", self._name, what)
        elif before is None:
            _log.warning("ledger %r: %s fails: %s", self._name, what, error)


def _dated(state: LedgerState) -> LedgerState:
    is_well = state.database_error is None and state.journal_error is None
    return evolve(state, since=None if is_well else (state.since or time()))
