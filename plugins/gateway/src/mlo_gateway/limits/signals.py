"""Short messages between the replicas of a gateway: a key was revoked, a provider is ill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

__all__ = ["HINTS", "REVOKED", "LocalSignals", "Signals", "Unsubscribe"]

REVOKED = "revoked"
"""Topic: accounts have changed; the payload is the id of the key, or empty for anything else."""

HINTS = "hints"
"""Topic: a circuit breaker has opened; the payload is JSON."""

Unsubscribe: TypeAlias = Callable[[], None]


class Signals(Protocol):
    """Tells every replica, this one included, and loses messages while the network is down."""

    def publish(self, topic: str, payload: str, /) -> None:
        """Send a message, without waiting and without raising."""

    def subscribe(
        self, topic: str, heard: Callable[[str], None], missed: Callable[[], None] = lambda: None, /
    ) -> Unsubscribe:
        """Have ``heard(payload)`` called for each message, in the event loop's thread, until the result is called.

        ``missed`` is called when messages may have been lost: reload what they would have told.
        """


class LocalSignals:
    """The signals of a gateway of one process."""

    def __init__(self) -> None:
        self._heard: dict[str, list[Callable[[str], None]]] = {}

    def publish(self, topic: str, payload: str, /) -> None:
        """Call the subscribers at once."""
        for heard in tuple(self._heard.get(topic, ())):
            heard(payload)

    def subscribe(
        self, topic: str, heard: Callable[[str], None], _missed: Callable[[], None] = lambda: None, /
    ) -> Unsubscribe:
        """Nothing is ever missed here."""
        subscribers = self._heard.setdefault(topic, [])
        subscribers.append(heard)

        def leave() -> None:
            if heard in subscribers:
                subscribers.remove(heard)

        return leave
