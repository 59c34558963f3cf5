"""The observer: hears of calls, writes them down, and says which may go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import count
from time import monotonic, time_ns
from typing import Any

from attrs import evolve

from mlo.errors import CallRefused, ConfigError
from mlo.records import (
    AttemptFailed,
    AttemptFinished,
    AttemptStarted,
    CallFinished,
    CallStarted,
    Record,
    RouteDecided,
    StepChosen,
)
from mlo.requests import ChatRequest
from mlo.routing import Request

from .admission import Admission, Hold, Pot
from .bank import refusal
from .calls import OpenCall, Rules
from .config import LedgerConfig
from .costing import Costing
from .database import Database
from .entries import attempt_line, begin_line, end_line, failure_line
from .estimates import cost_bound
from .events import AT, HoldUsed, Settlement, call_fields
from .journal import Journal
from .limits import Limit, Window
from .reading import windows_of
from .state import LedgerState, Watch
from .tickets import Ticket
from .windows import period_of, scopes_of
from .writer import Writer

__all__ = ["LedgerObserver"]

_RECALL_WAIT = 0.5  # s that a call waits for others to give back
_CLOSE_WAIT = 10.0
_MARGIN = 1.25  # over the estimated tokens of a prompt, for what is reserved
_WANTS: frozenset[type[Record]] = frozenset(
    {CallStarted, RouteDecided, StepChosen, AttemptStarted, AttemptFinished, AttemptFailed, CallFinished}
)
_ORGANIZATION, _PROJECT, _KEY = 4, 5, 6  # in the fields of a call
_WRITER, _SEQ = AT["writer"], AT["seq"]


class LedgerObserver:
    """Accounts for every call. Opened by :func:`mlo_ledger.opening.open_ledger`.

    What the gateway uses beyond an observer: :meth:`limit`, :meth:`unlimit`, :meth:`window`, :meth:`flush`,
    :meth:`state`, and the ``database`` itself.
    """

    def __init__(
        self,
        config: LedgerConfig,
        database: Database,
        admission: Admission,
        watch: Watch,
        costing: Costing,
    ) -> None:
        self.database = database
        self._config, self._admission, self._watch, self._costing = config, admission, watch, costing
        key = "" if config.features_key is None else config.features_key.reveal()
        self._rules = Rules(owner="", estimate=config.estimate, features=config.features, key=key.encode())
        self._open: dict[str, OpenCall] = {}
        self._numbers = count(1)
        self._journal: Journal | None = None
        self._writer: Writer | None = None
        self._owner = ""
        self._handlers: dict[type[Record], Callable[[Any], None]] = {
            CallStarted: self._call_started,
            RouteDecided: self._decided,
            StepChosen: self._chosen,
            AttemptStarted: self._attempt_started,
            AttemptFinished: self._attempt_finished,
            AttemptFailed: self._attempt_failed,
            CallFinished: self._call_finished,
        }

    def begin(self, journal: Journal, writer: Writer) -> None:
        """Write to these from now on."""
        self._journal, self._writer, self._owner = journal, writer, journal.owner
        writer.start()

    def carried(self) -> Iterable[bytes]:
        """The lines of calls under way, for a new file of the journal."""
        return [line for call in list(self._open.values()) for line in call.lines]

    @property
    def wants(self) -> frozenset[type[Record]]:
        """Everything about calls and attempts."""
        return _WANTS

    def on(self, record: Record, /) -> None:
        """Take one record. What a caller gets back after it stands in the journal."""
        handler = self._handlers.get(type(record))
        if handler is not None:
            handler(record)

    def admit(self, call: CallStarted, request: Request, /) -> Awaitable[None] | None:
        """Let a call through if it can be accounted for and its limits have room for it.

        Raises:
            CallRefused: with the reason ``cannot-account``, ``requests-exhausted`` or ``budget-exhausted``.
        """
        if self._config.policy == "strict":
            self._check_accountable()
        found = self._open.get(call.call_id)
        if found is None:
            return None
        found.request = request
        if not self._admission.has_limits:
            return None
        fields = found.fields
        pots = self._admission.pots(scopes_of(fields[_ORGANIZATION], fields[_PROJECT], fields[_KEY]))
        if not pots:
            return None
        found.held = self._bound(found, request) if self._admission.counts_money else 1
        holds = self._admission.take(pots, found.moment, found.held)
        if holds is not None:
            found.holds = holds
            return None
        now = monotonic()
        for pot in self._admission.lacking(pots, found.moment, found.held):
            if now < pot.closed_until:
                raise refusal(pot, found.moment)
        return self._wait(found, pots)

    async def limit(self, *limits: Limit) -> None:
        """Set limits, in place of those with the same scope and kind of period.

        Raises:
            ConfigError: when there is no time zone of that name.
        """
        for limit in limits:
            try:
                period_of(limit, time_ns() // 1000)
            except (LookupError, ValueError, OSError) as error:
                raise ConfigError(limit.scope, f"there is no time zone {limit.time_zone!r}") from error
        self._admission.put(limits)

    async def unlimit(self, scope: str) -> None:
        """Take the limits of a scope away."""
        self._admission.remove(scope)

    async def window(self, scope: str) -> Window | None:
        """What has been used of the limit of a scope in the current period (of the month's, where there are two).

        ``None`` when the scope has no limit.

        Raises:
            DatabaseUnavailable: when the database is not there.
        """
        found = await self.windows(scope)
        return found[0] if found else None

    async def windows(self, scope: str) -> Sequence[Window]:
        """As :meth:`window`, for all limits of a scope, the month's first."""
        limits = sorted((each for each in self._admission.limits if each.scope == scope), key=lambda each: each.period)
        moment = time_ns() // 1000
        return await self.database.read(lambda connection: windows_of(connection, limits[::-1], moment))

    async def flush(self) -> None:
        """Wait until the database has committed everything that has happened so far.

        Raises:
            DatabaseUnavailable: when it cannot now.
        """
        if self._writer is not None:
            await self._writer.flush()

    def look_now(self) -> None:
        """Do now what is done every few seconds: signs of life, prices that were imported, limits that only warn."""
        if self._writer is not None:
            self._writer.look_now()

    def state(self) -> LedgerState:
        """How the ledger is."""
        writer = self._writer
        backlog, lag, committed = (0, 0.0, 0) if writer is None else (writer.backlog, writer.lag, writer.committed)
        limits = len(self._admission.limits)
        return evolve(self._watch.state, backlog=backlog, lag=lag, committed=committed, limits=limits)

    def close(self) -> None:
        """Wait until everything is in the database, but not for ever: the rest stays in the journal."""
        if self._writer is not None and self._journal is not None:
            is_done = self._writer.close(_CLOSE_WAIT)
            keep = not is_done or bool(self._open) or bool(self._watch.state.refused_rows)
            self._journal.close(keep=keep)
        self.database.close()

    async def _wait(self, call: OpenCall, pots: tuple[Pot, ...]) -> None:
        writer = self._writer
        if writer is None:
            return
        ticket = Ticket(self._admission, pots, call.moment, call.held, _RECALL_WAIT)
        writer.ask(ticket)
        call.holds = await ticket.holds()

    def _bound(self, call: OpenCall, request: Request) -> int:
        """At most what the call may cost, in nano-units: at least 1, for nothing is free of a limit."""
        price = self._costing.expected(call.started.route, request.model, call.moment)
        shape = call.shape()
        if price is None or price.currency != "RUB" or shape is None:
            self._watch.count(unreserved=1)
            return 1
        completion = 0
        if isinstance(request, ChatRequest):
            asked = request.sampling.max_tokens
            completion = self._config.default_completion if asked is None else asked
        return max(1, cost_bound(price, int(shape.tokens * _MARGIN), completion))

    def _check_accountable(self) -> None:
        journal, writer = self._journal, self._writer
        if journal is None or writer is None:
            return
        reason = None
        if journal.is_full:
            reason = f"the journal has reached its limit of {self._config.journal_limit} bytes"
        elif journal.error is not None and not journal.try_again():
            reason = f"the journal cannot be written: {journal.error}"
        elif writer.failing_for > self._config.strict_grace:
            reason = f"the database has not served for {writer.failing_for:.0f} s: {self._watch.state.database_error}"
        if reason is not None:
            message = f"the ledger cannot account for the call: {reason}"
            raise CallRefused(message, reason="cannot-account", retry_after=1.0)

    def _call_started(self, record: CallStarted) -> None:
        moment = time_ns() // 1000
        root = None
        if record.parent is not None:
            outer = self._open.get(record.parent)
            root = outer if outer is None or outer.root is None else outer.root
        call = OpenCall(record, moment, call_fields(record, moment), root)
        call.request = record.request
        self._open[record.call_id] = call

    def _decided(self, record: RouteDecided) -> None:
        call = self._open.get(record.call_id)
        if call is not None:
            call.decided = record

    def _chosen(self, record: StepChosen) -> None:
        call = self._open.get(record.call_id)
        if call is not None:
            call.steps.append(record)

    def _attempt_started(self, record: AttemptStarted) -> None:
        call = self._open.get(record.call_id)
        if call is None:
            return
        attempt = call.begin(record)
        if self._admission.counts_money:
            self._costing.saw(call.started.route, record, call.moment)
        if call.lines:
            line = attempt_line(record.call_id, record.attempt, attempt.fields, nested=attempt.is_nested)
        else:
            holds = [_whole(hold) for hold in call.holds]
            held = call.held if call.holds else 0
            line = begin_line(
                call.fields, record.attempt, attempt.fields, nested=attempt.is_nested, holds=holds, held=held
            )
        self._write(line)
        call.lines.append(line)

    def _attempt_finished(self, record: AttemptFinished) -> None:
        call = self._open.get(record.call_id)
        attempt = None if call is None else call.tries.get(record.attempt)
        if attempt is not None:
            attempt.ended = record  # the end of the call follows before the caller gets anything

    def _attempt_failed(self, record: AttemptFailed) -> None:
        call = self._open.get(record.call_id)
        attempt = None if call is None else call.tries.get(record.attempt)
        if call is None or attempt is None:
            return
        attempt.ended = record
        prices: list[Mapping[str, Any]] = []
        row = call.row(record.attempt, attempt, self._rules, self._costing, prices)
        line = failure_line(record.call_id, row, prices)
        self._write(line)
        call.lines.append(line)

    def _call_finished(self, record: CallFinished) -> None:
        call = self._open.get(record.call_id)
        writer, journal = self._writer, self._journal
        if call is None or writer is None or journal is None:
            return
        refused = record.error.reason if isinstance(record.error, CallRefused) else None
        ended = call.end(record, self._rules, self._costing, refused)
        if call.root is not None:
            call.root.spent += ended.spent
        seq = next(self._numbers)
        for row in ended.rows:
            row[_WRITER], row[_SEQ] = self._owner, seq
        holds: tuple[HoldUsed, ...] = ()
        if call.holds:
            holds = tuple(self._admission.end(call.holds, counted=ended.counted, nano=ended.spent))
        settlement = Settlement(rows=tuple(ended.rows), holds=holds, prices=tuple(ended.prices))
        place = journal.append(end_line(settlement), settles=True)
        if place is None:
            self._watch.journal(str(journal.error or "it has reached its limit"))
        self._open.pop(record.call_id, None)
        writer.put(place, settlement)

    def _write(self, line: bytes) -> None:
        journal = self._journal
        if journal is None:
            return
        if journal.append(line) is None:
            self._watch.journal(str(journal.error or "it has reached its limit"))
        elif self._watch.state.journal_error is not None:
            self._watch.journal(None)


def _whole(hold: Hold) -> HoldUsed:
    lease = hold.lease
    return lease.id, hold.scope, lease.period.key, lease.period.zone, hold.requests, hold.nano
