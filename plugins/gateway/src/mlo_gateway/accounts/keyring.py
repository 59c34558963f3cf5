"""Tells who calls, from memory: one digest and one look-up, however many keys there are."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256

import anyio
from attrs import frozen

from mlo_gateway.contracts import Principal, Unwatch
from mlo_ledger.database import Database
from mlo_ledger.errors import DatabaseUnavailable

from .cabinet import Cabinet
from .config import AccountsConfig
from .granted import Budgets, Granted
from .keys import mark_used
from .loading import Entry, Loaded, read_active, read_changed, read_digests
from .plans import Catalogue
from .refusals import UNKNOWN, accounts_away, bad_key, no_key, out_of_scope
from .tokens import bearer_in, is_well_formed
from .watching import Watchers

__all__ = ["KeyRing", "KeyRingState"]

_LOG = logging.getLogger("mlo.gateway")
_NOTE_USE_EVERY = 60.0


@frozen(kw_only=True)
class KeyRingState:
    """How it stands: keys held ready, whether they are all, streams watched, and since when the database is away."""

    keys: int
    complete: bool
    watched: int
    change: int
    away_since: float | None


class KeyRing:
    """An :class:`~mlo_gateway.contracts.Authenticator` over the database of accounts.

    :meth:`load` once, then :meth:`run` beside the server. While the database is away the keys in memory go on opening,
    and those that would have to be looked up are told to come back.
    """

    def __init__(
        self,
        database: Database,
        catalogue: Catalogue,
        *,
        config: AccountsConfig = AccountsConfig(),  # noqa: B008 - frozen
        budgets: Budgets | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database, self._catalogue, self._config = database, catalogue, config
        self._granted, self._clock = Granted(budgets), clock
        self._cabinet = Cabinet(config.keys_in_memory)
        self._by_digest = self._cabinet.by_digest
        self._watchers = Watchers()
        self._change, self._complete = -1, False
        self._asked: set[bytes] = set()
        self._lock = anyio.Lock()
        self._wake = anyio.Event()
        self._used: dict[str, float] = {}
        self._away_since: float | None = None

    @property
    def state(self) -> KeyRingState:
        """How it stands."""
        return KeyRingState(
            keys=len(self._cabinet),
            complete=self._complete,
            watched=len(self._watchers),
            change=self._change,
            away_since=self._away_since,
        )

    def authenticate(self, authorization: bytes | None, /) -> Principal | Awaitable[Principal]:
        """Who sends this header to the data plane.

        Raises:
            GatewayError: 401; 403 for a key without the scope ``inference``.
        """
        found = self._found(authorization)
        if isinstance(found, Entry):
            return _scoped(found, "inference").principal
        return self._asked_for(*found)

    async def administrator(self, authorization: bytes | None) -> Entry:
        """The key that is sent to the admin API.

        Raises:
            GatewayError: 401; 403 for a key without the scope ``admin``; 503.
        """
        found = self._found(authorization)
        return _scoped(found if isinstance(found, Entry) else await self._ask(*found), "admin")

    def watch(self, principal: Principal, revoked: Callable[[str], None], /) -> Unwatch:
        """Have ``revoked(why)`` called once when the key ends, until the result is called."""
        return self._watchers.watch(principal, revoked)

    async def load(self) -> None:
        """Read all keys.

        Raises:
            DatabaseUnavailable: when they cannot be read.
        """
        async with self._lock:
            read = partial(read_active, catalogue=self._catalogue, now=self._now(), most=self._config.keys_in_memory)
            loaded = await self._database.read(read)
            dropped = self._cabinet.keep_only({entry.digest for entry in loaded.entries})
            if loaded.complete:
                await self._end({entry.principal.key_id: UNKNOWN for entry in dropped})
            await self._take(loaded)
            self._complete = loaded.complete

    async def use(self, catalogue: Catalogue, budgets: Budgets | None) -> None:
        """Go on with other plans of the configuration, and perhaps with another keeper of monthly limits.

        Raises:
            DatabaseUnavailable: when the keys cannot be read again; the plans stay as they were.
        """
        before, self._catalogue = self._catalogue, catalogue
        if self._granted.budgets is not budgets:
            self._granted = Granted(budgets)
        try:
            await self.load()
        except DatabaseUnavailable:
            self._catalogue = before
            # what is in memory holds, and a new keeper of limits has to know of it
            await self._granted.grant(self._by_digest.values())
            raise

    async def refresh(self) -> None:
        """Take over what acts have changed, on this replica or another.

        Raises:
            DatabaseUnavailable: when it cannot be read.
        """
        async with self._lock:
            read = partial(read_changed, catalogue=self._catalogue, now=self._now(), since=self._change)
            loaded = await self._database.read(read)
            if loaded is not None:
                await self._take(loaded)

    def wake(self, _message: str = "") -> None:
        """Refresh soon, for there may be news."""
        self._wake.set()

    async def run(self) -> None:
        """Keep the keys fresh and notice expiry, for ever."""
        noted = self._clock()
        while True:
            with anyio.move_on_after(self._config.refresh):
                await self._wake.wait()
            self._wake = anyio.Event()
            self._watchers.expired(self._clock())
            try:
                await self.refresh()
                if self._clock() - noted >= _NOTE_USE_EVERY:
                    noted = self._clock()
                    await self.note_use()
            except DatabaseUnavailable as error:
                self._went_away(error)
            else:
                self._came_back()

    async def note_use(self) -> None:
        """Write down which keys were used since the last time.

        Raises:
            DatabaseUnavailable: when it cannot be written; it is tried again next time.
        """
        used, self._used = self._used, {}
        if not used:
            return
        uses = {ident: int(at * 1_000_000) for ident, at in used.items()}
        try:
            await self._database.write(lambda connection: mark_used(connection, uses))
        except DatabaseUnavailable:
            self._used = used | self._used
            raise

    def _found(self, authorization: bytes | None) -> Entry | tuple[bytes, bytes]:
        """The key; or token and digest where the database must be asked."""
        token = None if authorization is None else bearer_in(authorization)
        if token is None:
            raise no_key()
        digest = sha256(token).digest()
        entry = self._by_digest.get(digest)
        if entry is None:
            return token, digest
        return self._current(entry)

    def _current(self, entry: Entry) -> Entry:
        now = self._clock()
        if entry.ends is not None and now >= entry.ends:
            raise bad_key(f"The API key {entry.principal.prefix}… has expired.")
        self._used[entry.principal.key_id] = now
        return entry

    def _asked_for(self, token: bytes, digest: bytes) -> Awaitable[Principal]:
        if not is_well_formed(token):
            raise bad_key()
        if digest in self._cabinet.unknown:
            raise bad_key(self._cabinet.unknown[digest])

        async def principal() -> Principal:
            return _scoped(await self._ask(token, digest), "inference").principal

        return principal()

    async def _ask(self, token: bytes, digest: bytes) -> Entry:
        """Look a key up. Those who ask at the same time wait for one query: made-up keys cannot flood the database."""
        if not is_well_formed(token):
            raise bad_key()
        self._asked.add(digest)
        async with self._lock:
            entry = self._by_digest.get(digest)
            if entry is None and digest not in self._cabinet.unknown:
                entry = await self._look_up(digest)
        if entry is None:
            raise bad_key(self._cabinet.unknown.get(digest, UNKNOWN))
        return self._current(entry)

    async def _look_up(self, digest: bytes) -> Entry | None:
        asked, self._asked = self._asked | {digest}, set()
        read = partial(read_digests, catalogue=self._catalogue, now=self._now(), digests=asked)
        try:
            loaded = await self._database.read(read)
        except DatabaseUnavailable as error:
            self._went_away(error)
            raise accounts_away() from error
        await self._keep(loaded.entries)
        found = {entry.digest: entry for entry in loaded.entries}
        gone = {each.digest: each.why for each in loaded.gone}
        for each in asked - found.keys():
            self._cabinet.note_unknown(each, gone.get(each, UNKNOWN))
        return found.get(digest)

    async def _take(self, loaded: Loaded) -> None:
        self._cabinet.forget_unknown()
        for gone in loaded.gone:
            self._cabinet.drop(gone.digest)
            self._cabinet.note_unknown(gone.digest, gone.why)
        await self._end({gone.ident: gone.why for gone in loaded.gone})
        await self._keep(loaded.entries)
        self._change = loaded.change

    async def _keep(self, entries: Sequence[Entry]) -> None:
        await self._granted.grant(entries)  # before anybody comes with the key
        for entry in entries:
            self._cabinet.put(entry)
            self._watchers.moved(entry.principal.key_id, entry.ends)

    async def _end(self, keys: Mapping[str, str]) -> None:
        for ident, why in keys.items():
            self._watchers.ended(ident, why)
        await self._granted.end(keys)

    def _went_away(self, error: DatabaseUnavailable) -> None:
        if self._away_since is None:
            self._away_since = self._clock()
            _LOG.warning("accounts: %s; keys in memory go on working, changes are not seen", error)

    def _came_back(self) -> None:
        if self._away_since is not None:
            self._away_since = None
            _LOG.warning("accounts: the database is back")

    def _now(self) -> int:
        return int(self._clock() * 1_000_000)


def _scoped(entry: Entry, scope: str) -> Entry:
    if scope not in entry.principal.scopes:
        raise out_of_scope(scope)
    return entry
