from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from mlo._slots import Slots

pytestmark = pytest.mark.anyio


async def test_never_more_holders_than_slots() -> None:
    slots, running, most = Slots(3), 0, 0

    async def hold() -> None:
        nonlocal running, most
        await slots.acquire()
        running += 1
        most = max(most, running)
        await checkpoint()
        running -= 1
        slots.release()

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(hold)
    assert (most, slots.free) == (3, 3)


async def test_first_come_first_served() -> None:
    slots, order = Slots(1), []
    await slots.acquire()

    async def wait(name: int) -> None:
        await slots.acquire()
        order.append(name)
        slots.release()

    async with anyio.create_task_group() as tasks:
        for name in range(4):
            tasks.start_soon(wait, name)
            await anyio.wait_all_tasks_blocked()
        slots.release()
    assert order == [0, 1, 2, 3]


async def test_a_cancelled_waiter_leaves_the_line() -> None:
    slots = Slots(1)
    await slots.acquire()
    with anyio.move_on_after(0.01):
        await slots.acquire()
    slots.release()
    with anyio.fail_after(1):
        await slots.acquire()
    assert slots.free == 0


async def test_a_slot_handed_to_a_waiter_that_is_cancelled_at_that_moment_is_not_lost() -> None:
    slots = Slots(1)
    await slots.acquire()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(slots.acquire)
        await anyio.wait_all_tasks_blocked()
        slots.release()
        tasks.cancel_scope.cancel()
    held = 1 - slots.free
    if held:  # the waiter won the race against its cancellation: it holds the slot, as it should
        slots.release()
    assert slots.free == 1


async def test_the_smaller_limit_of_two_users_holds() -> None:
    slots = Slots(10)
    slots.narrow(2)
    slots.narrow(5)
    await slots.acquire()
    await slots.acquire()
    with anyio.move_on_after(0.01) as scope:
        await slots.acquire()
    assert scope.cancelled_caught
    assert slots.limit == 2
