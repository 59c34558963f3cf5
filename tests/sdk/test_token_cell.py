"""One fetch for all who wait, in one event loop."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable

import anyio
import pytest
from attrs import define, field

from mlo.api import Credentials
from mlo.errors import AuthFailed, MloError, TransportFailed
from mlo_sdk import TokenSource, shared_cell

pytestmark = pytest.mark.anyio


@define
class Issuer:
    """A token endpoint: counts, and does what it is told."""

    life: float | None = 1000.0
    calls: int = 0
    error: Exception | None = None
    gate: anyio.Event | None = None
    now: float = 0.0
    waiting: list[str] = field(factory=list)

    async def __call__(self) -> Credentials:
        self.calls += 1
        number = self.calls
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Credentials(headers={"n": str(number)}, expires_at=None if self.life is None else self.now + self.life)

    async def open(self) -> None:
        """Let the fetches pass as soon as everybody waits."""
        await anyio.wait_all_tasks_blocked()
        assert self.gate is not None
        self.gate.set()

    def clock(self) -> float:
        return self.now

    def source(self) -> TokenSource:
        return TokenSource(self, clock=self.clock)


async def together(*calls: Callable[[], Awaitable[object]]) -> list[object]:
    """The results of all calls, errors included, in their order."""
    results: dict[int, object] = {}

    async def run(index: int, call: Callable[[], Awaitable[object]]) -> None:
        try:
            results[index] = await call()
        except (MloError, KeyError) as error:
            results[index] = error

    async with anyio.create_task_group() as tasks:
        for index, call in enumerate(calls):
            tasks.start_soon(run, index, call)
    return [results[index] for index in range(len(calls))]


async def test_a_token_is_fetched_once_and_kept() -> None:
    issuer = Issuer()
    source = issuer.source()
    first, second = await source.credentials(), await source.credentials()
    assert first is second
    assert (issuer.calls, first.generation, first.headers) == (1, 1, {"n": "1"})


async def test_all_first_callers_share_one_fetch() -> None:
    issuer = Issuer(gate=anyio.Event())
    source = issuer.source()
    *found, _ = await together(*[source.credentials] * 100, issuer.open)
    assert issuer.calls == 1
    assert {id(one) for one in found} == {id(found[0])}


async def test_a_rejected_token_is_renewed_once_for_all_whom_it_was_rejected_for() -> None:
    issuer = Issuer()
    source = issuer.source()
    await source.credentials()
    found = await together(*[lambda: source.credentials(1)] * 200)
    assert issuer.calls == 2
    assert {one.generation for one in found if isinstance(one, Credentials)} == {2}


async def test_a_late_rejection_of_an_old_token_changes_nothing() -> None:
    issuer = Issuer()
    source = issuer.source()
    await source.credentials()
    await source.credentials(1)
    assert (await source.credentials(1)).generation == 2
    assert issuer.calls == 2


async def test_all_who_wait_get_the_one_failure() -> None:
    issuer = Issuer(error=AuthFailed("no", status=401), gate=anyio.Event())
    source = issuer.source()
    *found, _ = await together(*[source.credentials] * 50, issuer.open)
    assert issuer.calls == 1
    assert {(type(one), str(one)) for one in found} == {(AuthFailed, "no [HTTP 401]")}
    assert len({id(one) for one in found}) == 50  # an error of their own each: tracebacks must not mix


async def test_after_a_failure_the_next_caller_tries_again() -> None:
    issuer = Issuer(error=AuthFailed("no"))
    source = issuer.source()
    await together(source.credentials)
    issuer.error = None
    assert (await source.credentials()).headers == {"n": "2"}


async def test_a_failed_renewal_of_a_rejected_token_is_an_error() -> None:
    issuer = Issuer()
    source = issuer.source()
    await source.credentials()
    issuer.error = TransportFailed("down")
    with pytest.raises(TransportFailed):
        await source.credentials(1)
    with pytest.raises(TransportFailed):  # the rejected one must not come back
        await source.credentials()


async def test_a_cancelled_fetch_is_taken_over_by_one_who_waits() -> None:
    issuer = Issuer(gate=anyio.Event())
    source = issuer.source()
    found: list[Credentials] = []

    async def wait() -> None:
        found.append(await source.credentials())

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as leader:

            async def cancel_leader() -> None:
                await anyio.wait_all_tasks_blocked()
                leader.cancel()
                await issuer.open()

            tasks.start_soon(cancel_leader)
            for _ in range(5):
                tasks.start_soon(wait)
            await source.credentials()
    assert leader.cancelled_caught
    assert issuer.calls == 2
    assert {one.generation for one in found} == {1}
    assert len(found) == 5


async def test_one_who_is_cancelled_while_waiting_is_forgotten() -> None:
    issuer = Issuer(gate=anyio.Event())
    source = issuer.source()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(source.credentials)
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01):
            await source.credentials()
        assert issuer.gate is not None
        issuer.gate.set()
    assert (issuer.calls, (await source.credentials()).generation) == (1, 1)


async def test_leader_and_heir_may_be_cancelled_at_once() -> None:
    issuer = Issuer(gate=anyio.Event())
    source = issuer.source()
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as doomed:

            async def doom() -> None:
                await anyio.wait_all_tasks_blocked()
                doomed.cancel()

            async with anyio.create_task_group() as inner:
                tasks.start_soon(doom)
                for _ in range(3):
                    inner.start_soon(source.credentials)
        issuer.gate = None
        assert (await source.credentials()).generation == 1
    assert issuer.calls == 2


async def test_an_unexpected_error_leaves_nobody_waiting() -> None:
    issuer = Issuer(error=KeyError("bug"))
    source = issuer.source()
    found = await together(*[source.credentials] * 3)
    assert [type(one) for one in found] == [KeyError] * 3
    issuer.error = None
    assert (await source.credentials()).generation == 1


async def test_a_token_is_renewed_before_it_expires() -> None:
    issuer = Issuer(life=1000)
    source = issuer.source()
    generations = []
    for issuer.now in (0, 939, 941):
        generations.append((await source.credentials()).generation)
    assert generations == [1, 1, 2]


async def test_a_short_lived_token_is_renewed_at_half_its_life() -> None:
    issuer = Issuer(life=30)
    source = issuer.source()
    generations = []
    for issuer.now in (0, 14, 16):
        generations.append((await source.credentials()).generation)
    assert generations == [1, 1, 2]


async def test_a_token_without_end_is_kept() -> None:
    issuer = Issuer(life=None)
    source = issuer.source()
    await source.credentials()
    issuer.now = 1e9
    assert (await source.credentials()).generation == 1


async def test_a_token_that_seems_expired_on_arrival_is_used_for_a_while() -> None:
    """This computer's clock is ahead: a fetch for every call would be the punishment."""
    issuer = Issuer(life=-3600)
    source = issuer.source()
    generations = []
    for issuer.now in (0, 59, 61):
        generations.append((await source.credentials()).generation)
    assert generations == [1, 1, 2]


async def test_an_early_renewal_that_fails_leaves_the_valid_token_in_use() -> None:
    issuer = Issuer(life=1000)
    source = issuer.source()
    await source.credentials()
    issuer.error = TransportFailed("down")
    seen = []
    for issuer.now in (950, 955, 961, 999):
        seen.append(((await source.credentials()).generation, issuer.calls))
    assert seen == [(1, 2), (1, 2), (1, 3), (1, 4)]  # tried again after ten seconds, not at each call
    issuer.now = 1001
    with pytest.raises(TransportFailed):
        await source.credentials()


async def test_nobody_waits_for_an_early_renewal() -> None:
    issuer = Issuer(life=1000)
    source = issuer.source()
    await source.credentials()
    issuer.now, issuer.gate = 950, anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(source.credentials)
        await anyio.wait_all_tasks_blocked()
        assert (await source.credentials()).generation == 1
        issuer.gate.set()
    assert (await source.credentials()).generation == 2


async def test_sources_of_one_key_share_a_token() -> None:
    issuer = Issuer()
    sources = [TokenSource(issuer, cell=shared_cell("url", "key"), clock=issuer.clock) for _ in range(3)]
    found = [await source.credentials() for source in sources]
    assert (issuer.calls, len({id(one) for one in found})) == (1, 1)


def test_cells_differ_by_every_part_of_the_identity() -> None:
    cells = [shared_cell(*parts) for parts in (("a", "b"), ("ab",), ("ab", ""), ("a", "c"), ("1:a",))]
    assert len({id(cell) for cell in cells}) == 5
    assert shared_cell("a", "b") is cells[0]


def test_a_cell_that_nobody_holds_is_forgotten() -> None:
    before = id(shared_cell("some", "key"))
    filler = shared_cell("another")  # may take the same place in memory, but then holds it
    gc.collect()
    assert shared_cell("some", "key") is not filler
    assert isinstance(before, int)


async def test_repr_shows_no_token() -> None:
    async def fetch() -> Credentials:
        return Credentials(headers={"authorization": "Bearer s3cret"})

    cell = shared_cell("s3cret")
    source = TokenSource(fetch, cell=cell)
    shown = f"{await source.credentials()!r} {cell!r} {source!r} {cell._held!r}"
    assert "s3cret" not in shown
