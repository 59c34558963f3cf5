"""Any order of what several processes do with one limit: it is never exceeded, and nothing gets lost on the way.

``MLO_INTERLEAVINGS`` is how many orders are tried: hundreds for a thorough run.
"""

from __future__ import annotations

import os
import tempfile
from itertools import count
from pathlib import Path

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from mlo.records import AttemptStarted, CallStarted
from mlo_ledger.admission import Admission, Hold, Pot
from mlo_ledger.database import Database
from mlo_ledger.events import AT, Settlement, attempt_fields, call_fields, row_of
from mlo_ledger.leasing import (
    Ask,
    ensure_window,
    forget_owner,
    give_back,
    lease,
    lose_leases,
    reconcile,
    renew,
)
from mlo_ledger.limits import Limit
from mlo_ledger.migrate import migrate_now
from mlo_ledger.reports.audit import audit
from mlo_ledger.schema import quota_lease, quota_window
from mlo_ledger.settling import settle
from mlo_ledger.windows import period_of

EXAMPLES = int(os.environ.get("MLO_INTERLEAVINGS", "15"))
REQUESTS = 6
NOW = 1_795_000_000_000_000
LIMIT = Limit(scope="all", requests=REQUESTS, nano=500, time_zone="UTC")
PERIOD = period_of(LIMIT, NOW)
TRY = attempt_fields(AttemptStarted(call_id="x", attempt=1, target="a", provider="a"))
numbers = count(1)


@define(eq=False)
class Process:
    """One owner, its calls under way, and the settlements that the database does not have yet."""

    admission: Admission
    owner: str
    under_way: list[list[Hold]] = field(factory=list)
    ended: list[Settlement] = field(factory=list)
    is_gone: bool = False

    @property
    def pots(self) -> tuple[Pot, ...]:
        return self.admission.pots(["all"])


@define(eq=False)
class World:
    database: Database
    processes: list[Process] = field(factory=list)
    served: int = 0
    doubtful: int = 0

    def start(self) -> Process:
        owner = f"o{next(numbers)}"
        process = Process(Admission(owner), owner)
        process.admission.put([LIMIT])
        self.processes.append(process)
        return process

    def fetch(self, process: Process, requests: int, *, is_heard: bool) -> None:
        (pot,) = process.pots
        name, period = process.admission.lease_for(pot, NOW)
        ask = Ask(limit=LIMIT, period=period, lease=name, owner=process.owner, requests=requests, nano=60 * requests)
        (grant,) = self.database.write_now(lambda c: lease(c, [ask], now=NOW, expires=NOW + 1))
        if is_heard:
            process.admission.granted(pot, name, period, grant.requests, grant.nano)

    def begin(self, process: Process) -> None:
        holds = process.admission.take(process.pots, NOW, 60)
        if holds is not None:
            process.under_way.append(holds)

    def end(self, process: Process, cost: int, *, counted: bool) -> None:
        if process.under_way:
            holds = process.under_way.pop(0)
            used = process.admission.end(holds, counted=counted, nano=cost if counted else 0)
            process.ended.append(self._settlement(tuple(used), cost if counted else None, status="ok", counted=counted))
            self.served += counted

    def _settlement(self, used: tuple, cost: int | None, *, status: str, counted: bool, held: int = 0) -> Settlement:  # type: ignore[type-arg]  # of plain values
        call = call_fields(CallStarted(call_id=f"c{next(numbers)}", route="r", operation="chat"), NOW)
        row = row_of(call, 1, TRY, status=status)
        row[AT["final"]], row[AT["requests"]], row[AT["held_nano"]] = 1, int(counted), held
        if cost is not None:
            row[AT["cost_nano"]], row[AT["currency"]], row[AT["price_id"]] = cost, "RUB", "vendor"
        return Settlement(rows=(row,), holds=used)

    def commit(self, process: Process, *, twice: bool) -> None:
        ended, process.ended = process.ended, []
        for _ in range(1 + twice):
            self.database.write_now(lambda c: settle(c, ended))
        process.admission.committed(hold for each in ended for hold in each.holds)

    def give_back(self, process: Process) -> None:
        back = process.admission.unspent(NOW, everything=True)
        self.database.write_now(lambda c: give_back(c, back))

    def lose(self) -> None:
        self.database.write_now(lambda c: lose_leases(c, now=NOW + 2))

    def crash(self, process: Process) -> None:
        """The process dies; what its journal says is recovered, and then all is known of it."""
        process.is_gone = True
        open_ones = [
            self._settlement(
                tuple((hold.lease.id, "all", PERIOD.key, PERIOD.zone, hold.requests, hold.nano) for hold in holds),
                None,
                status="indeterminate",
                counted=True,
                held=60,
            )
            for holds in process.under_way
        ]
        self.doubtful += len(open_ones)
        for batch in (process.ended, open_ones):
            self.database.write_now(lambda c, batch=batch: settle(c, batch))  # type: ignore[misc]  # bound now
        self.database.write_now(lambda c: forget_owner(c, process.owner))

    def check(self) -> None:
        """In every moment: never more than the limit, and the books agree."""
        window = self.database.read_now(lambda c: c.execute(select(quota_window)).mappings().one())
        assert window["used_requests"] + window["reserved_requests"] <= REQUESTS
        assert min(window["used_requests"], window["reserved_requests"], window["reserved_nano"]) >= 0
        audited = self.database.read_now(audit)
        assert audited.agrees, audited.differences

    def finish(self) -> None:
        for process in self.processes:
            if process.is_gone:
                continue
            while process.under_way:
                self.end(process, 10, counted=True)
            self.commit(process, twice=False)
            self.database.write_now(lambda c, p=process: renew(c, p.owner, NOW + 9))  # type: ignore[misc]  # bound now
            self.database.write_now(
                lambda c, p=process: reconcile(c, p.owner, p.admission.outstanding())  # type: ignore[misc]  # bound now
            )
            self.give_back(process)
            self.database.write_now(lambda c, p=process: forget_owner(c, p.owner))  # type: ignore[misc]  # bound now
        self.check()

        def rest(connection: Connection) -> tuple[int, int, int, int]:
            window = connection.execute(select(quota_window)).mappings().one()
            leases = len(connection.execute(select(quota_lease)).all())
            return window["used_requests"], window["doubtful_requests"], window["reserved_requests"], leases

        assert self.database.read_now(rest) == (self.served + self.doubtful, self.doubtful, 0, 0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["fetch", "begin", "begin", "end", "commit", "back", "lose", "renew", "reconcile", "crash"]),
        st.integers(0, 2),
        st.integers(1, 6),
        st.booleans(),
    ),
    min_size=6,
    max_size=30,
)


def _do(world: World, name: str, process: Process, amount: int, *, flag: bool) -> None:
    match name:
        case "fetch":
            world.fetch(process, amount, is_heard=flag or amount > 2)
        case "begin":
            world.begin(process)
        case "end":
            world.end(process, amount * 10, counted=flag or amount > 2)
        case "commit":
            world.commit(process, twice=flag)
        case "back":
            world.give_back(process)
        case "lose":
            world.lose()
        case "renew":
            world.database.write_now(lambda c: renew(c, process.owner, NOW + 1))
        case "reconcile":
            outstanding = process.admission.outstanding()
            world.database.write_now(lambda c: reconcile(c, process.owner, outstanding))
        case _:
            world.crash(process)
            world.processes[world.processes.index(process)] = world.processes[-1]
            world.processes.pop()
            world.start()


@settings(max_examples=EXAMPLES, deadline=None)
@given(steps=steps)
def test_a_limit_holds_in_any_order(steps: list[tuple[str, int, int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Database(f"sqlite:///{Path(folder) / 'l.db'}"))
        migrate_now(world.database)
        world.database.write_now(lambda c: ensure_window(c, LIMIT, PERIOD))
        for _ in range(3):
            world.start()
        for name, who, amount, flag in steps:
            _do(world, name, world.processes[who], amount, flag=flag)
            world.check()
        world.finish()
        world.database.close()
