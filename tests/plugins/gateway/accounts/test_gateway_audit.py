"""The audit log: complete, in order, and telling when somebody was at it."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import anyio
import pytest
from sqlalchemy import delete, update

from mlo_gateway.accounts.audit_log import check_audit, list_events
from mlo_gateway.accounts.auditing import verify
from mlo_gateway.accounts.errors import ActRefused
from mlo_gateway.accounts.keys import create_key, revoke_key
from mlo_gateway.accounts.organizations import create_organization
from mlo_gateway.accounts.paging import Cut
from mlo_gateway.accounts.projects import change_project
from mlo_gateway.accounts.schema import audit_event, gateway_state
from tests.plugins.gateway.accounts.stores import World, actor, peopled

pytestmark = pytest.mark.anyio


async def test_an_event_says_who_what_and_what_became_different(world: World) -> None:
    await peopled(world)
    who = actor("owner", "organization", address="192.0.2.7")
    world.clock.now += 5
    await world.act(lambda act: change_project(act, "shop", title="New"), who)
    (event, *_) = (await world.look(lambda look: list_events(look, Cut()))).items
    assert (event.actor, event.address, event.action) == ("test:owner", "192.0.2.7", "project.change")
    assert (event.organization, event.project, event.target, event.at) == ("acme", "shop", "shop", world.clock.micros)
    assert (event.before, event.after) == ({"title": ""}, {"title": "New"})


async def test_an_act_without_an_event_does_not_happen(world: World) -> None:
    def forgetful(act: Any) -> None:
        create_organization(act, name="a")
        act.recorded.clear()

    def twice(act: Any) -> None:
        create_organization(act, name="a")
        create_organization(act, name="b")

    for function in (forgetful, twice):
        with pytest.raises(RuntimeError, match="one audit event"):
            await world.act(function)
    assert (await world.look(lambda look: list_events(look, Cut()))).items == ()
    await world.act(lambda act: create_organization(act, name="a"))


async def test_acts_at_the_same_time_follow_one_another(world: World) -> None:
    await peopled(world)

    async with anyio.create_task_group() as tasks:
        for _ in range(12):
            tasks.start_soon(world.act, lambda act: create_key(act, project_name="shop"))
    page = await world.look(lambda look: list_events(look, Cut()))
    assert [event.seq for event in page.items] == list(range(17, 0, -1))
    assert (await world.look(check_audit)).broken_at is None


async def test_everybody_reads_what_is_theirs(world: World) -> None:
    await peopled(world)
    seen = {}
    for reach in ("gateway", "organization", "project"):
        page = await world.look(lambda look: list_events(look, Cut()), actor("viewer", reach))
        seen[reach] = [event.target for event in page.items]
    assert seen == {
        "gateway": ["den", "rival", "lab", "shop", "acme"],
        "organization": ["lab", "shop", "acme"],
        "project": ["shop"],
    }
    narrowed = await world.look(lambda look: list_events(look, Cut(), action="project.create", organization="acme"))
    assert [event.target for event in narrowed.items] == ["lab", "shop"]
    with pytest.raises(ActRefused):
        await world.look(check_audit, actor("owner", "organization"))


async def test_pages_go_back_in_time(world: World) -> None:
    await peopled(world)
    first = await world.look(lambda look: list_events(look, Cut(limit=2)))
    second = await world.look(lambda look: list_events(look, Cut(limit=2, after=first.next)))
    third = await world.look(lambda look: list_events(look, Cut(limit=2, after=second.next)))
    assert [event.seq for page in (first, second, third) for event in page.items] == [5, 4, 3, 2, 1]
    assert (second.next, third.next) == ("2", None)


async def long_log(world: World) -> int:
    await peopled(world)
    for _ in range(5):
        made, _ = await world.key()
        await world.act(partial(revoke_key, ident=made.id))
    return 15


async def test_tampering_shows(small_world: World) -> None:
    count = await long_log(small_world)
    assert await small_world.look(check_audit) == await small_world.database.read(verify)
    assert (await small_world.look(check_audit)).events == count
    chance = random.Random(7)
    columns = {"at": 1, "actor": "nobody", "address": "::1", "action": "no.thing", "target": "x"}
    columns |= {"before": '{"a": 1}', "after": "{}", "organization": "other", "project": "other", "digest": "0" * 64}

    def undone(connection: Any, change: Any) -> Any:
        connection.execute(change)
        try:
            return verify(connection)
        finally:
            connection.rollback()

    for name, value in columns.items():
        seq = chance.randint(1, count)
        change = update(audit_event).where(audit_event.c.seq == seq).values({name: value})
        found = small_world.database.write_now(partial(undone, change=change))
        assert (found.broken_at, found.reason) == (seq, "changed"), name
    for seq in (1, count // 2, count):
        gap = delete(audit_event).where(audit_event.c.seq == seq)
        found = small_world.database.write_now(partial(undone, change=gap))
        assert (found.broken_at, found.reason) == (seq, "missing")


async def test_cutting_the_end_off_shows(small_world: World) -> None:
    count = await long_log(small_world)

    def cut(connection: Any) -> None:
        connection.execute(delete(audit_event).where(audit_event.c.seq > count - 3))

    small_world.database.write_now(cut)
    found = await small_world.look(check_audit)
    assert (found.events, found.broken_at, found.reason) == (count - 3, count - 2, "missing")


async def test_the_head_is_kept_with_the_counter(small_world: World) -> None:
    await long_log(small_world)
    small_world.database.write_now(
        lambda connection: connection.execute(update(gateway_state).values(audit_head="f" * 64))
    )
    assert (await small_world.look(check_audit)).broken_at is not None
