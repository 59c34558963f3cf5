"""Which calls are written: a share of them, and every call in which something fails. A call is written whole."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeAlias, TypeVar
from zlib import crc32

from mlo import records

__all__ = ["Sampling", "is_in_share"]

T = TypeVar("T")
Line: TypeAlias = Callable[[], str]
_CALLS = 10_000  # held back at a time; older ones are forgotten
_LINES = 200  # held back per call, the last ones


def is_in_share(call_id: str, share: float) -> bool:
    """The same answer for a call at any time, in any process."""
    return crc32(call_id.encode("utf-8", "replace")) < share * 2**32


class Sampling:
    """Decides over lines, one after the other, in one thread.

    The lines of a call outside the share are held back until something fails, or it is over.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._held: OrderedDict[str, list[Line]] = OrderedDict()
        self._kept: OrderedDict[str, None] = OrderedDict()
        self._roots: OrderedDict[str, str] = OrderedDict()

    def due(self, record: records.Record, line: Line | None) -> list[Line]:
        """The lines to write now. ``line`` is ``None`` for a record that is only told for the sake of the others."""
        own: list[Line] = [] if line is None else [line]
        call_id: str | None = getattr(record, "call_id", None)
        if call_id is None or self._share >= 1:
            return own
        root = self._root_of(record, call_id)
        if root in self._kept or is_in_share(root, self._share):
            return self._over(record, call_id, own)
        if _went_wrong(record):
            own = self._held.pop(root, []) + own
            self._kept[root] = None
            _bound(self._kept)
            return self._over(record, call_id, own)
        held = self._held.setdefault(root, [])
        held += own
        del held[:-_LINES]
        _bound(self._held)
        return self._over(record, call_id, [])

    def _root_of(self, record: records.Record, call_id: str) -> str:
        """The outermost call: routes inside routes are written with it, or not at all."""
        if isinstance(record, records.CallStarted) and record.parent is not None:
            self._roots[call_id] = self._roots.get(record.parent, record.parent)
            _bound(self._roots)
        return self._roots.get(call_id, call_id)

    def _over(self, record: records.Record, call_id: str, lines: list[Line]) -> list[Line]:
        if isinstance(record, records.CallFinished):
            self._roots.pop(call_id, None)
            self._held.pop(call_id, None)
            self._kept.pop(call_id, None)
        return lines


def _went_wrong(record: records.Record) -> bool:
    match record:
        case records.AttemptFailed(cancelled=False) | records.CallFinished(status="error"):
            return True
        case _:
            return False


def _bound(calls: OrderedDict[str, T]) -> None:
    while len(calls) > _CALLS:
        calls.popitem(last=False)
