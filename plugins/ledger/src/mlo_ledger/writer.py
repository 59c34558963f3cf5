"""The thread between the calls and the database: commits settlements in groups, and fetches what limits allow.

What it is handed is in the journal already. When the database does not take it, it waits here, or only there.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from time import monotonic, time_ns
from typing import TypeAlias

from attrs import define
from sqlalchemy.exc import ProgrammingError

from .admission import Admission
from .bank import Bank
from .chores import Chores
from .database import Database
from .entries import settlement_of
from .errors import DatabaseUnavailable
from .events import HoldUsed, Settlement
from .journal import Journal, Place, read_file
from .leasing import give_back
from .settling import settle
from .state import Watch
from .tickets import Bell, Ticket

__all__ = ["Writer"]

_log = logging.getLogger("mlo")
_QUEUE = 20_000
_BATCH = 1_000
_GATHER = 0.012  # s that a commit waits for others to join it, and where somebody waits for it:
_HURRY = 0.001
_TICK = 0.04
_IDLE = 1.0
_LONGEST_PAUSE = 2.0

Item: TypeAlias = tuple[Place | None, Settlement, float]


@define
class _Flush:
    target: int
    bell: Bell
    error: DatabaseUnavailable | None = None


class Writer:
    """Owns the thread.

    :meth:`put` may interrupt anything here, in any thread, even itself: a stream that nobody closed ends its call in a
    finalizer, wherever the garbage collector runs. So the lock is reentrant, and what wakes the thread is no `Event`.

    ``stored`` is told which settlements the database has; ``prepare`` comes before all else, once the database serves.
    """

    def __init__(
        self,
        database: Database,
        journal: Journal,
        admission: Admission,
        watch: Watch,
        chores: Chores,
        stored: Callable[[Sequence[Settlement]], None],
        *,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self._database, self._journal, self._admission, self._watch = database, journal, admission, watch
        self._chores, self._stored, self._prepare = chores, stored, prepare
        self._bank = Bank(database, admission, journal.owner)
        self._lock = threading.RLock()
        self._queue: deque[Item] = deque()
        self._tickets: list[Ticket] = []
        self._flushes: list[_Flush] = []
        self._taken = self._done = 0
        self._failures = 0
        self._failing_since: float | None = None
        self._doubtful = self._is_over = False
        self._is_woken = False
        self._knocks: SimpleQueue[None] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mlo-ledger", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, place: Place | None, settlement: Settlement) -> None:
        """Take a settlement, which stands in ``place`` of the journal. Never waits."""
        with self._lock:
            if len(self._queue) < _QUEUE and not self._is_over:
                self._queue.append((place, settlement, monotonic()))
                self._taken += 1
            elif place is not None and not self._is_over:
                self._journal.skipped(place)
                self._taken += 1
            else:
                self._watch.count(dropped=1)
        self._wake()

    def ask(self, ticket: Ticket) -> None:
        """Take a call that waits for its limits."""
        with self._lock:
            is_over = self._is_over
            self._tickets.append(ticket)
        if is_over:
            self._dismiss(_closed())
        self._wake()

    def look_now(self) -> None:
        """Do the chores at the next opportunity."""
        self._chores.hurry()
        self._wake()

    async def flush(self) -> None:
        """Wait until the database has everything that was taken so far.

        Raises:
            DatabaseUnavailable: when it does not take it now.
        """
        with self._lock:
            if self._done >= self._taken:
                return
            if self._is_over:
                raise _closed()
            flush = _Flush(self._taken, Bell())
            self._flushes.append(flush)
        self._wake()
        await flush.bell.wait()
        if flush.error is not None:
            raise flush.error

    @property
    def backlog(self) -> int:
        """How many settlements the database does not have yet."""
        return self._taken - self._done

    @property
    def committed(self) -> int:
        """How many settlements it has taken from this process."""
        return self._done

    @property
    def lag(self) -> float:
        """For how many seconds the oldest of them has waited."""
        try:
            return monotonic() - self._queue[0][2]
        except IndexError:
            return 0.0

    @property
    def failing_for(self) -> float:
        """For how many seconds the database has not served."""
        since = self._failing_since
        return 0.0 if since is None else monotonic() - since

    def close(self, timeout: float) -> bool:
        """Write what is left, give back what is unspent, and end; whether all of it was done in ``timeout`` seconds."""
        self._closing.set()
        self._wake()
        self._thread.join(timeout)
        return not self._thread.is_alive() and self.backlog == 0 and not self._doubtful

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            self._knocks.put(None)

    def _sleep(self, seconds: float) -> None:
        with suppress(Empty):
            self._knocks.get(timeout=seconds)
        self._is_woken = False  # before the queue is looked at, so that nothing comes unnoticed

    def _run(self) -> None:
        while not self._closing.is_set():
            self._sleep(self._pause())
            if len(self._queue) < _BATCH:
                self._closing.wait(_HURRY if self._tickets or self._flushes else _GATHER)
            try:
                self._cycle()
            except Exception:  # noqa: BLE001 - a border: the outermost frame of the thread goes on whatever happens
                _log.exception("the ledger's writer failed; it goes on")
                self._dismiss(DatabaseUnavailable("the ledger's writer failed: the log says why"))
                self._closing.wait(_TICK)
        self._finish()
        with self._lock:
            self._is_over = True
        self._dismiss(_closed())

    def _pause(self) -> float:
        if self._failures:
            return min(_LONGEST_PAUSE, _TICK * (1 << self._failures))
        if self._queue or self._journal.has_skipped:
            return 0.0
        if self._tickets or self._admission.has_unspent:
            return _TICK
        return _IDLE

    def _finish(self) -> None:
        for _ in range(3):
            try:
                while self._queue or self._journal.has_skipped:
                    before = self._done
                    if not self._cycle() or self._done == before:
                        break
                if self._give_back_all():
                    return
            except Exception:  # noqa: BLE001 - as above: what is left stays in the journal
                _log.exception("the ledger's writer failed while closing; what is left is in the journal")
        self._fail(_closed())

    def _give_back_all(self) -> bool:
        back = self._admission.unspent(time_ns() // 1000, everything=True)
        return self._attempt(lambda: self._database.write_now(lambda connection: self._chores.leave(connection, back)))

    def _cycle(self) -> bool:
        """One round; whether the database served."""
        with self._lock:
            tickets = [ticket for ticket in self._tickets if not ticket.try_take()]
            self._tickets = tickets[:]
            # not an iterator: the queue may grow meanwhile
            items = [self._queue[place] for place in range(min(len(self._queue), _BATCH))]
        place = None if items else self._journal.to_read()
        if not self._attempt(lambda: self._serve(items, place, tickets)):
            return False
        return not self._chores.are_due or self._attempt(self._chores.run)

    def _serve(self, items: Sequence[Item], place: Place | None, tickets: Sequence[Ticket]) -> None:
        if self._prepare is not None:
            self._prepare()
            self._prepare = None
        if self._doubtful:
            self._bank.reconcile()
            self._doubtful = False
        if items:
            self._commit(items)
        elif place is not None:
            self._commit_file(place)
        self._bank.look()
        back = self._admission.unspent(time_ns() // 1000)
        if back:
            self._database.write_now(lambda connection: give_back(connection, back))
        answered = self._bank.serve(tickets)
        with self._lock:
            self._tickets = [ticket for ticket in self._tickets if ticket not in answered]

    def _commit(self, items: Sequence[Item]) -> None:
        settlements = [settlement for _place, settlement, _since in items]
        written = self._written(settlements)
        with self._lock:
            for _ in items:
                self._queue.popleft()
        counts: dict[int, tuple[Place, int]] = {}
        for (place, _settlement, _since), is_written in zip(items, written, strict=True):
            if place is not None and is_written:
                counts[place.number] = place, counts.get(place.number, (place, 0))[1] + 1
        for place, count in counts.values():
            self._journal.settled(place, count)
        self._committed(len(items))

    def _commit_file(self, place: Place) -> None:
        """What was only in the journal, because there was too much of it."""
        batch: list[Settlement] = []
        refused = 0
        for said in read_file(place.path):
            settlement = settlement_of(said)
            if settlement is not None:
                batch.append(settlement)
            if len(batch) >= _BATCH:
                refused += self._written(batch).count(False)
                batch.clear()
        refused += self._written(batch).count(False)
        self._committed(self._journal.was_read(place, refused))

    def _written(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Which of them the database took; one that it refuses does not hold up the others."""
        try:
            self._database.write_now(lambda connection: settle(connection, settlements))
        except ProgrammingError as error:  # tables that are not there, or others: not the calls' fault
            raise DatabaseUnavailable(f"the database has other tables than this code: {error}") from error
        except self._database.rejections:
            if len(settlements) > 1:
                return [self._written([each])[0] for each in settlements]
            _log.exception("the ledger's database refuses call %s; it stays in the journal", settlements[0].rows[0][0])
            self._watch.count(refused_rows=1)
            return [False]
        self._stored(settlements)
        used: list[HoldUsed] = [hold for each in settlements for hold in each.holds]
        if used:
            self._admission.committed(used)
        return [True] * len(settlements)

    def _committed(self, count: int) -> None:
        with self._lock:
            self._done += count
            ready = [flush for flush in self._flushes if flush.target <= self._done]
            self._flushes = [flush for flush in self._flushes if flush.target > self._done]
        for flush in ready:
            flush.bell.ring()

    def _attempt(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except DatabaseUnavailable as error:
            self._fail(error)
            return False
        if self._failures:
            self._failures = 0
            self._failing_since = None
        self._watch.database(None)
        return True

    def _fail(self, error: DatabaseUnavailable) -> None:
        self._doubtful = True  # a commit of which nothing was heard may have happened
        self._failures = min(self._failures + 1, 10)
        if self._failing_since is None:
            self._failing_since = monotonic()
        self._watch.database(str(error))
        self._dismiss(error)

    def _dismiss(self, error: DatabaseUnavailable) -> None:
        """Let nobody wait any longer."""
        with self._lock:
            tickets, self._tickets = self._tickets, []
            flushes, self._flushes = self._flushes, []
        for ticket in tickets:
            self._bank.refuse_unasked(ticket, error)
        for flush in flushes:
            flush.error = error
            flush.bell.ring()


def _closed() -> DatabaseUnavailable:
    return DatabaseUnavailable("the ledger is closed")
