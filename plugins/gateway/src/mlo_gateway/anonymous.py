"""A gateway without keys and limits, for ``auth = "off"``: whoever reaches it may use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .contracts import Header, Principal, Unwatch

__all__ = ["Anonymous", "NoLimits"]

_ANYBODY = Principal(key_id="anonymous", role="owner")


class Anonymous:
    """An authenticator that takes everybody for the same owner."""

    def authenticate(self, _authorization: bytes | None, /) -> Principal:
        """The owner."""
        return _ANYBODY

    def watch(self, _principal: Principal, _revoked: Callable[[str], None], /) -> Unwatch:
        """Nothing: there is no key that could end."""
        return _nothing


class NoLimits:
    """A limiter that lets everybody in; it is its own ticket."""

    headers: Sequence[Header] = ()

    def enter(self, _principal: Principal, _tokens: int, /) -> NoLimits:
        """Let in."""
        return self

    def leave(self, _tokens: int | None, /) -> None:
        """Nothing to give back."""


def _nothing() -> None:
    pass
