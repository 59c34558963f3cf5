"""Everything that one emulated service remembers."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from typing import Any

from attrs import evolve

from mlo_emulators.journal import Journal

from .accounts import Accounts
from .files import Files
from .options import Options
from .prompt import Prompt, Turn

__all__ = ["Emulator"]


class Emulator:
    """The state behind the app, reachable as ``app.state.emulator``. Safe to use from several threads."""

    def __init__(self, options: Options) -> None:
        self.options = self._initial = options
        self.journal = Journal()
        self.accounts = Accounts()
        self.files = Files()
        self._lock = threading.Lock()
        self._rng = random.Random(options.seed)  # noqa: S311 - no secrets are made of it
        self._counts: Counter[str] = Counter()
        self._sessions: dict[str, tuple[Turn, ...]] = {}

    def configure(self, **changes: Any) -> None:
        """Start again with the initial options and these changes; the journal and all tokens are forgotten."""
        with self._lock:
            self.options = evolve(self._initial, **changes)
            self._rng = random.Random(self.options.seed)  # noqa: S311
            self._counts.clear()
            self._sessions.clear()
            self.accounts = Accounts()
            self.files = Files()
        self.journal.clear()

    def next(self, name: str) -> int:
        """Count one more of ``name``; the first is 1."""
        with self._lock:
            self._counts[name] += 1
            return self._counts[name]

    def delay(self, which: str) -> float:
        """A delay from the distribution in the option ``which``, in seconds."""
        with self._lock:
            return float(getattr(self.options, which).sample(self._rng))

    def new_id(self) -> str:
        """A UUID, the same in every run with the same seed."""
        with self._lock:
            return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def cached_tokens(self, session: str | None, prompt: Prompt) -> int:
        """Tokens of the leading messages that the session has sent before; remembers this prompt for the next time."""
        if session is None:
            return 0
        with self._lock:
            before = self._sessions.get(session, ())
            self._sessions[session] = prompt.turns
        total = 0
        for old, new in zip(before, prompt.turns, strict=False):
            if old != new:
                break
            total += new.tokens
        return total
