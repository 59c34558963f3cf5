"""The keys that are held ready, by digest and by id, and those that were asked for in vain. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from .loading import Entry

__all__ = ["Cabinet"]

_MOST_UNKNOWN = 4096


class Cabinet:
    """Up to ``most`` keys; beyond that the ones that came first make room.

    ``unknown`` says of digests that were looked up in vain why they do not open. It is bounded, and emptied by every
    act: what was unknown may be known now.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.by_digest: dict[bytes, Entry] = {}
        self._by_id: dict[str, Entry] = {}
        self._unknown: dict[bytes, str] = {}

    def __len__(self) -> int:
        return len(self.by_digest)

    @property
    def unknown(self) -> Mapping[bytes, str]:
        """Why these digests do not open."""
        return self._unknown

    def put(self, entry: Entry) -> None:
        """Hold a key ready, or what has become of it."""
        ident = entry.principal.key_id
        if ident not in self._by_id and len(self._by_id) >= self._most:
            oldest = next(iter(self._by_id))
            del self.by_digest[self._by_id.pop(oldest).digest]
        self.by_digest[entry.digest] = self._by_id[ident] = entry
        self._unknown.pop(entry.digest, None)

    def drop(self, digest: bytes) -> None:
        """Hold a key ready no more."""
        entry = self.by_digest.pop(digest, None)
        if entry is not None:
            del self._by_id[entry.principal.key_id]

    def keep_only(self, digests: set[bytes]) -> list[Entry]:
        """Drop all other keys; those that were dropped."""
        dropped = [entry for digest, entry in self.by_digest.items() if digest not in digests]
        for entry in dropped:
            self.drop(entry.digest)
        return dropped

    def note_unknown(self, digest: bytes, why: str) -> None:
        """Remember that a digest does not open."""
        if len(self._unknown) >= _MOST_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[digest] = why

    def forget_unknown(self) -> None:
        """Forget what was looked up in vain."""
        self._unknown.clear()
