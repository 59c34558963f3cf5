"""Tokens that expire: one fetch for all who wait, in every thread and event loop.

::

    credentials() ── fresh? ──────────────────────────────► the token held (0.2 µs, no lock)
         │ no, or rejected by a server
         ├─ nobody fetches ───────► lead: fetch ─┬─ done ──► a new generation; all who wait get it
         ├─ somebody fetches,                    ├─ failed ► held and still valid? use it : all who wait get the error
         │   the old one is valid ► use that     └─ cancelled ► the first who waits leads
         └─ somebody fetches ─────► wait (should that one's event loop end meanwhile, lead)
"""

from __future__ import annotations

import copy
import hashlib
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from weakref import WeakValueDictionary

import anyio
from attrs import define, evolve, field, frozen

from mlo.api import Credentials
from mlo.errors import MloError

from .wakeup import Bell

__all__ = ["Fetch", "TokenCell", "TokenSource", "shared_cell"]

Fetch: TypeAlias = Callable[[], Awaitable[Credentials]]
"""Gets new credentials from the vendor. The generation in them does not matter.

It raises leaves of ``MloError``.
"""

_RETRY_SECONDS = 10.0  # between early renewals that fail while the old token is still good
_LEADER_SECONDS = 1.0  # between looks at whether the loop of who fetches still runs
_WRONG_CLOCK_SECONDS = 60.0  # a token that seems to have expired on arrival is used that long: a 401 renews it anyway


@frozen
class _Held:
    credentials: Credentials = field(repr=False)
    fresh_until: float
    valid_until: float


@define(eq=False)
class _Waiter:
    """A caller who cannot have the token held. ``leads``: it is the one who fetches."""

    bell: Bell = field(factory=Bell)
    credentials: Credentials | None = field(default=None, repr=False)
    error: MloError | None = None
    leads: bool = False


class TokenCell:
    """Holds one token, and fetches a new one at most once at a time. Safe to share between threads and event loops.

    Who leads a fetch does it with its own ``fetch``, in its own event loop.
    """

    def __init__(self) -> None:
        # Reentrant: a coroutine that is thrown away in the middle of a fetch cleans up whenever the collector runs.
        self._lock = threading.RLock()
        self._held: _Held | None = None
        self._generation = 0
        self._leader: _Waiter | None = None
        self._waiters: deque[_Waiter] = deque()

    def __repr__(self) -> str:
        return f"<TokenCell generation {self._generation}>"

    async def get(
        self,
        fetch: Fetch,
        stale: int | None = None,
        *,
        refresh_before: float = 60.0,
        refresh_after: float = math.inf,
        clock: Callable[[], float] = time.time,
    ) -> Credentials:
        """Valid credentials; those of generation ``stale`` have been rejected by a server.

        They are renewed ``refresh_before`` seconds before they expire, or at half their life if that is later, and
        ``refresh_after`` seconds after they were fetched at the latest.

        Raises:
            MloError: what ``fetch`` raises; all who wait for the same fetch get the same.
        """
        held = self._held
        if held is not None and stale is None and clock() < held.fresh_until:
            return held.credentials
        with self._lock:
            turn = self._turn(stale, clock())
        if isinstance(turn, Credentials):
            return turn
        if not turn.leads:
            await self._wait(turn)
        if turn.credentials is not None:
            return turn.credentials
        if turn.error is not None:
            raise copy.copy(turn.error) from turn.error  # each task its own: a traceback belongs to one
        return await self._lead(turn, fetch, (refresh_before, refresh_after), clock)

    def _turn(self, stale: int | None, now: float) -> Credentials | _Waiter:
        """What a caller is to do, decided under the lock: use these, or wait unless it leads."""
        held = self._held
        if held is not None and stale is not None and held.credentials.generation <= stale:
            held = self._held = None
        if held is not None and (now < held.fresh_until or (now < held.valid_until and self._leader is not None)):
            return held.credentials
        waiter = _Waiter(leads=self._leader is None)
        if waiter.leads:
            self._leader = waiter
        else:
            self._waiters.append(waiter)
        return waiter

    async def _wait(self, waiter: _Waiter) -> None:
        """Until there is an outcome in ``waiter``, or it is the one who leads."""
        try:
            while True:
                with anyio.move_on_after(_LEADER_SECONDS):
                    await waiter.bell.wait()
                    return
                with self._lock:
                    if self._leader is not None and not self._leader.bell.can_ring():
                        self._hand_over()
        except BaseException:
            with self._lock:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                if waiter is self._leader:
                    self._hand_over()
            raise

    async def _lead(
        self, leader: _Waiter, fetch: Fetch, refresh: tuple[float, float], clock: Callable[[], float]
    ) -> Credentials:
        try:
            fetched = await fetch()
        except MloError as error:
            kept = self._failed(error, clock())
            if kept is None:
                raise
            return kept
        except BaseException:  # cancelled, or a bug of fetch: the next one tries for itself
            with self._lock:
                if leader is self._leader:  # not one who is collected long after its loop has ended
                    self._hand_over()
            raise
        return self._renewed(fetched, refresh, clock())

    def _renewed(self, fetched: Credentials, refresh: tuple[float, float], now: float) -> Credentials:
        with self._lock:
            self._generation += 1
            credentials = evolve(fetched, generation=self._generation)
            self._held = _held(credentials, refresh, now)
            self._land(credentials=credentials)
        return credentials

    def _failed(self, error: MloError, now: float) -> Credentials | None:
        with self._lock:
            held = self._held
            if held is None or now >= held.valid_until:
                self._land(error=error)
                return None
            self._held = evolve(held, fresh_until=min(now + _RETRY_SECONDS, held.valid_until))
            self._land(credentials=held.credentials)
            return held.credentials

    def _land(self, *, credentials: Credentials | None = None, error: MloError | None = None) -> None:
        waiters, self._waiters, self._leader = self._waiters, deque(), None
        for waiter in waiters:
            waiter.credentials, waiter.error = credentials, error
            waiter.bell.ring()

    def _hand_over(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            waiter.leads, self._leader = True, waiter
            if waiter.bell.ring():
                return
        self._leader = None


def _held(credentials: Credentials, refresh: tuple[float, float], now: float) -> _Held:
    before, after = refresh
    if credentials.expires_at is None:
        return _Held(credentials, now + after, math.inf)
    life = credentials.expires_at - now
    if life <= 0:
        until = now + _WRONG_CLOCK_SECONDS
        return _Held(credentials, until, until)
    fresh_until = min(credentials.expires_at - min(before, life / 2), now + after)
    return _Held(credentials, fresh_until, credentials.expires_at)


class TokenSource:
    """An auth scheme over ``fetch``. With a ``cell`` of :func:`shared_cell` all sources of one key share one token.

    ``refresh_before`` and ``refresh_after`` (see :meth:`TokenCell.get`) are in seconds; ``clock`` gives Unix time.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        cell: TokenCell | None = None,
        refresh_before: float = 60.0,
        refresh_after: float = math.inf,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._cell = cell or TokenCell()
        self._refresh_before = refresh_before
        self._refresh_after = refresh_after
        self._clock = clock

    async def credentials(self, stale: int | None = None) -> Credentials:
        """Valid credentials, renewed if those of generation ``stale`` are the newest.

        Raises:
            MloError: what the fetch raises.
        """
        return await self._cell.get(
            self._fetch,
            stale,
            refresh_before=self._refresh_before,
            refresh_after=self._refresh_after,
            clock=self._clock,
        )


_cells: WeakValueDictionary[bytes, TokenCell] = WeakValueDictionary()
_cells_lock = threading.Lock()


def shared_cell(*identity: str) -> TokenCell:
    """The process-wide cell of ``identity``, such as token URL, scope and key; it lives as long as somebody holds it.

    The identity is kept as a hash only.
    """
    digest = hashlib.sha256(b"".join(b"%d:%s" % (len(part.encode()), part.encode()) for part in identity)).digest()
    with _cells_lock:
        cell = _cells.get(digest)
        if cell is None:
            cell = _cells[digest] = TokenCell()
        return cell
