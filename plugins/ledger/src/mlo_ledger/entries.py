"""What lines of the journal say: a call began, another attempt, the end of one, the end of the call. Pure.

The end of a call says everything, so that nothing before it is needed any more; the others are for calls that never
came to their end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field

from .events import AT, HoldUsed, Row, Settlement, holds_from, row_of
from .lines import encoded

__all__ = ["attempt_line", "begin_line", "end_line", "failure_line", "settlement_of", "unfinished"]

_WRITER, _SEQ, _FINAL, _STATUS = AT["writer"], AT["seq"], AT["final"], AT["status"]
_REQUESTS, _HELD, _ATTEMPTS = AT["requests"], AT["held_nano"], AT["attempts"]
_COST = AT["cost_nano"]
_CALL_ID, _DEPTH = 1, 3  # in the fields of a call


def begin_line(
    call: Sequence[Any], number: int, attempt: Sequence[Any], *, nested: bool, holds: Sequence[HoldUsed], held: int
) -> bytes:
    """The first attempt of a call begins. ``holds`` are what it reserved of leases, ``held`` in nano-units."""
    return encoded(("b", call, number, attempt, int(nested), holds, held))


def attempt_line(call_id: str, number: int, attempt: Sequence[Any], *, nested: bool) -> bytes:
    """Another attempt of a call begins."""
    return encoded(("a", call_id, number, attempt, int(nested)))


def failure_line(call_id: str, row: Row, prices: Sequence[Mapping[str, Any]]) -> bytes:
    """An attempt has ended, and its call goes on."""
    return encoded(("f", call_id, row, prices))


def end_line(settlement: Settlement) -> bytes:
    """A call has ended."""
    return encoded(("e", settlement.rows, settlement.holds, settlement.prices))


def settlement_of(said: Any) -> Settlement | None:
    """The settlement that a line holds, if it is the end of a call."""
    match said:
        case ["e", [*rows], [*holds], [*prices]]:
            return Settlement(rows=tuple(rows), holds=holds_from(holds), prices=tuple(prices))
        case _:
            return None


@define(eq=False)
class _Begun:
    call: list[Any]
    holds: tuple[HoldUsed, ...]
    held: int
    attempts: dict[int, tuple[list[Any], bool]] = field(factory=dict)
    ended: dict[int, Row] = field(factory=dict)
    prices: list[Mapping[str, Any]] = field(factory=list)


def unfinished(lines: Iterable[Any], owner: str) -> list[Settlement]:
    """Settlements for the calls of ``owner`` that began and did not end.

    What is known of their attempts is kept; of those that did not end nobody knows whether the provider answered, and
    what it costs: they are indeterminate, and what was reserved for them counts as used.
    """
    begun: dict[str, _Begun] = {}
    over: set[str] = set()  # a call that ends while a new file begins may stand in that once more
    last = 0
    for said in lines:
        match said:
            case ["b", [*call], int(number), [*attempt], nested, [*holds], int(held)] if call[_CALL_ID] not in over:
                found = begun.setdefault(call[_CALL_ID], _Begun(call, holds_from(holds), held))
                found.attempts[number] = attempt, bool(nested)
            case ["a", str(call_id), int(number), [*attempt], nested] if call_id in begun:
                begun[call_id].attempts[number] = attempt, bool(nested)
            case ["f", str(call_id), [*row], [*prices]] if call_id in begun:
                begun[call_id].ended[int(row[AT["attempt"]])] = row
                begun[call_id].prices += prices
            case ["e", [*rows], _, _]:
                over.add(str(rows[-1][AT["call_id"]]))
                begun.pop(str(rows[-1][AT["call_id"]]), None)
                last = max(last, int(rows[-1][_SEQ]))
            case _:
                continue
    return [_settled(each, owner, last + place) for place, each in enumerate(begun.values(), 1)]


def _settled(begun: _Begun, owner: str, seq: int) -> Settlement:
    rows: list[Row] = []
    doubtful = False
    for number, (attempt, nested) in sorted(begun.attempts.items()):
        row = begun.ended.get(number)
        if row is None:
            doubtful = True
            row = row_of(begun.call, number, attempt, status="indeterminate", nested=nested)
        row[_WRITER], row[_SEQ] = owner, seq
        rows.append(row)
    known = sum(row[_COST] or 0 for row in rows)
    final = next((row for row in reversed(rows) if row[_STATUS] == "indeterminate"), rows[-1])
    rows.remove(final)
    rows.append(final)
    final[_FINAL], final[_ATTEMPTS] = 1, len(rows)
    final[_REQUESTS] = 0 if begun.call[_DEPTH] else 1
    final[_HELD] = max(0, begun.held - known) if doubtful else 0
    holds = tuple(
        (lease, scope, period, zone, requests, nano if doubtful else min(nano, known))
        for lease, scope, period, zone, requests, nano in begun.holds
    )
    return Settlement(rows=tuple(rows), holds=holds, prices=tuple(begun.prices))
