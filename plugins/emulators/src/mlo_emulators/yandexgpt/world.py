"""The state of an emulated cloud: tokens, quotas, operations. Tests reach in while requests run."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

from attrs import define, evolve, field

from mlo_emulators.journal import Journal

from .failures import Failure
from .options import Options

__all__ = ["Operation", "Token", "World"]

_HOUR = 3600.0
_GAUGE = "ai.textGenerationCompletionSessionsCount.count"
_HOURLY = "ai.textGenerationCompletionRequestsPerHour.rate"
_EMBEDDINGS = "ai.embeddingsTextEmbeddingRequestsPerSecond.rate"


@define
class Token:
    """An IAM token. ``expires_at`` is Unix time; ``uses_left`` is ``None`` where uses do not count."""

    value: str
    subject: str
    expires_at: float
    uses_left: int | None = None


@define
class Operation:
    """An asynchronous generation; every poll brings it one step nearer to its end."""

    id: str
    created: float
    response: dict[str, Any]
    polls_left: int
    cancelled: bool = False


@define
class World:
    """Everything that changes; the options may, too, at any time: see :meth:`change`.

    So many looks at operations fail next: ``fail_looks``.

    Counters in the journal: ``iam exchanges``, ``metadata tokens``, ``generations``, ``generations open (max)``.
    """

    options: Options
    journal: Journal
    fail_looks: int = 0
    _lock: threading.Lock = field(factory=threading.Lock)
    _tokens: dict[str, Token] = field(factory=dict)
    _operations: dict[str, Operation] = field(factory=dict)
    _open: int = 0
    _peak: int = 0
    _starts: dict[str, list[float]] = field(factory=dict)

    def change(self, **options: Any) -> None:
        """Set some of the options from now on."""
        self.options = evolve(self.options, **options)

    def issue(self, subject: str) -> Token:
        """An IAM token for ``subject``: a new one, or the one it has if tokens are reissued."""
        with self._lock:
            if self.options.reissue:
                for token in self._tokens.values():
                    if token.subject == subject and self._lives(token):
                        return token
            value = f"t1.{uuid.uuid4().hex}.{uuid.uuid4().hex}{uuid.uuid4().hex}{uuid.uuid4().hex[:22]}"
            token = Token(value, subject, time.time() + self.options.token_ttl, self.options.token_requests)
            self._tokens[value] = token
            return token

    def admit(self, value: str) -> str:
        """The subject of a token.

        Raises:
            Failure: 401, when it is unknown, expired, revoked or used up.
        """
        with self._lock:
            token = self._tokens.get(value)
            if token is None or not self._lives(token):
                raise Failure(401, "Token is invalid or has expired.")
            if token.uses_left is not None:
                token.uses_left -= 1
            return token.subject

    def revoke(self, value: str) -> str:
        """End a token's life; its subject."""
        with self._lock:
            token = self._tokens.pop(value, None)
        if token is None:
            raise Failure(404, "Token not found")
        return token.subject

    def revoke_all(self) -> None:
        """End the life of every token."""
        with self._lock:
            self._tokens.clear()

    @staticmethod
    def _lives(token: Token) -> bool:
        return token.expires_at > time.time() and token.uses_left != 0

    @contextlib.contextmanager
    def generation(self) -> Iterator[None]:
        """A generation under way: it counts against the gauge until it ends.

        Raises:
            Failure: 429 of either kind.
        """
        limit = self.options.gauge
        with self._lock:
            self._rate(_HOURLY, self.options.generations_per_hour, _HOUR)
            if limit is not None and self._open >= limit:
                raise Failure(429, f"{_GAUGE} gauge quota limit exceed: allowed {limit} requests")
            self._open += 1
            if self._open > self._peak:
                self._peak = self._open
                self.journal.count("generations open (max)")
        self.journal.count("generations")
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    @property
    def open_generations(self) -> int:
        """Generations under way."""
        return self._open

    def embedding(self) -> None:
        """Count one embedding.

        Raises:
            Failure: 429, when there were too many in the last second.
        """
        with self._lock:
            self._rate(_EMBEDDINGS, self.options.embeddings_per_second, 1.0)

    def _rate(self, name: str, limit: int | None, window: float) -> None:
        if limit is None:
            return
        now = time.monotonic()
        starts = [start for start in self._starts.get(name, []) if start > now - window]
        self._starts[name] = starts
        if len(starts) >= limit:
            raise Failure(429, f"{name} rate quota limit exceed: allowed {limit} requests")
        starts.append(now)

    def submit(self, response: dict[str, Any]) -> Operation:
        """An operation that will end in ``response``."""
        operation = Operation(f"d7q{uuid.uuid4().hex[:17]}", time.time(), response, self.options.operation_polls)
        with self._lock:
            self._operations[operation.id] = operation
        return operation

    def poll(self, operation_id: str, *, cancel: bool = False) -> Operation:
        """An operation as it stands now.

        Raises:
            Failure: 404.
        """
        with self._lock:
            if self.fail_looks > 0:
                self.fail_looks -= 1
                raise Failure(503, "operations are not available")
            operation = self._operations.get(operation_id)
            if operation is None:
                raise Failure(404, f"Operation {operation_id} not found")
            if cancel and operation.polls_left > 0:
                operation.cancelled = True
            elif operation.polls_left > 0:
                operation.polls_left -= 1
            return operation
