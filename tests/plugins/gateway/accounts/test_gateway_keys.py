"""Virtual keys as they are kept, on both databases."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import anyio
import attrs
import pytest
from sqlalchemy import LargeBinary, select

from mlo_gateway.accounts.audit_log import list_events
from mlo_gateway.accounts.errors import ActRefused
from mlo_gateway.accounts.keys import KeyChange, change_key, create_key, find_key, list_keys, revoke_key, rotate_key
from mlo_gateway.accounts.members import add_member
from mlo_gateway.accounts.organizations import close_organization
from mlo_gateway.accounts.paging import Cut
from mlo_gateway.accounts.projects import close_project
from mlo_gateway.accounts.records import OPERATOR, ApiKey, KeyLimits
from mlo_gateway.accounts.schema import metadata
from tests.plugins.gateway.accounts.stores import World, actor, peopled

pytestmark = pytest.mark.anyio

HOUR = 3_600_000_000


async def refusal(world: World, function: Any, who: Any = OPERATOR) -> ActRefused:
    before = await world.look(lambda look: list_events(look, Cut(limit=1000)))
    with pytest.raises(ActRefused) as refused:
        await world.act(function, who)
    after = await world.look(lambda look: list_events(look, Cut(limit=1000)))
    assert after == before  # what was refused leaves no trace
    return refused.value


async def test_a_key_is_found_again_as_it_was_made(world: World) -> None:
    await peopled(world)
    facts: dict[str, Any] = {
        "name": "CI",
        "role": "viewer",
        "scopes": ["inference", "admin", "admin"],
        "models": ["local*", "giga/GigaChat-2", "local*"],
        "limits": KeyLimits(requests_minute=60, budget=10**10),
        "expires": world.clock.micros + HOUR,
    }
    made, token = await world.key(**facts)
    found = await world.look(lambda look: find_key(look, made.id))
    assert found == made == await world.look(lambda look: find_key(look, token.prefix))
    assert (found.project, found.organization, found.created) == ("shop", "acme", world.clock.micros)
    assert (found.scopes, found.models) == (("admin", "inference"), ("local*", "giga/GigaChat-2"))
    assert (found.limits, found.expires) == (facts["limits"], facts["expires"])


async def test_no_table_holds_the_key_or_most_of_it(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await peopled(world)
    made, token = await world.key(name="n", limits=KeyLimits(concurrency=1))
    _, newer, _ = await world.act(lambda act: rotate_key(act, made.id, overlap=HOUR))
    await world.act(lambda act: revoke_key(act, made.id))

    def everything(look: Any) -> list[str]:
        rows = [row for table in metadata.sorted_tables for row in look.connection.execute(select(table))]
        return [value.hex() if isinstance(value, bytes) else str(value) for row in rows for value in row]

    values = await world.look(everything)
    for text in (token.text, newer.text):
        # the prefix is known; of the other 34 letters none may be
        assert not [value for value in values if text[12:20] in value]
        assert text[12:20] not in caplog.text
    digests = [column for table in metadata.sorted_tables for column in table.c if isinstance(column.type, LargeBinary)]
    assert [f"{column.table.name}.{column.name}" for column in digests] == ["api_key.digest"]
    events = await world.look(lambda look: list_events(look, Cut()))
    assert token.digest.hex() not in str(events)


async def test_rotation_gives_a_new_key_and_lets_the_old_one_go_on_for_a_while(world: World) -> None:
    await peopled(world)
    old, _ = await world.key(models=["local"], limits=KeyLimits(requests_month=5), name="CI")
    world.clock.now += 100
    made, token, ending = await world.act(lambda act: rotate_key(act, old.id, overlap=HOUR))
    assert (made.rotated_from, made.expires, made.prefix) == (old.id, None, token.prefix)
    assert made.prefix != old.prefix
    kept = ("project", "name", "models", "limits", "role", "scopes")
    assert [getattr(made, name) for name in kept] == [getattr(old, name) for name in kept]
    assert (ending.expires, ending.revoked) == (world.clock.micros + HOUR, None)
    assert await world.look(lambda look: find_key(look, old.id)) == ending


async def test_rotation_never_prolongs_the_old_key(world: World) -> None:
    await peopled(world)
    old, _ = await world.key(expires=world.clock.micros + 10 * 1_000_000)
    world.clock.now += 4
    made, _, ending = await world.act(lambda act: rotate_key(act, old.id, overlap=HOUR))
    assert ending.expires == old.expires
    assert made.expires == world.clock.micros + 10 * 1_000_000  # as long as the old one was made to last


async def test_rotation_without_overlap_ends_the_old_key(world: World) -> None:
    await peopled(world)
    old, _ = await world.key()
    _, _, ended = await world.act(lambda act: rotate_key(act, old.id))
    assert ended.revoked == world.clock.micros
    refused = await refusal(world, lambda act: rotate_key(act, old.id))
    assert refused.reason == "conflict"


async def test_a_key_is_replaced_once(world: World) -> None:
    await peopled(world)
    old, _ = await world.key()
    await world.act(lambda act: rotate_key(act, old.id, overlap=HOUR))
    refused = await refusal(world, lambda act: rotate_key(act, old.id, overlap=HOUR))
    assert refused.reason == "conflict"
    assert old.prefix in str(refused)


async def test_of_admins_who_rotate_at_the_same_time_one_succeeds(world: World) -> None:
    await peopled(world)
    old, _ = await world.key()
    made: list[ApiKey] = []
    refused: list[ActRefused] = []

    async def rotate() -> None:
        try:
            made.append((await world.act(lambda act: rotate_key(act, old.id, overlap=HOUR)))[0])
        except ActRefused as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(rotate)
    assert (len(made), [error.reason for error in refused]) == (1, ["conflict"] * 5)
    found = await world.look(lambda look: list_keys(look, Cut()))
    assert [key.id for key in found.items if key.rotated_from == old.id] == [made[0].id]


async def test_keys_of_a_project_that_is_closed_at_the_same_time_do_not_outlive_it(world: World) -> None:
    await peopled(world)

    async def create() -> None:
        try:
            await world.key()
        except ActRefused as error:
            assert error.reason == "conflict"

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(create)
            if number == 3:
                tasks.start_soon(world.act, lambda act: close_project(act, "shop"))
    living = await world.look(lambda look: list_keys(look, Cut(), active=True))
    assert living.items == ()


async def test_what_has_ended_cannot_be_changed(world: World) -> None:
    await peopled(world)
    revoked, _ = await world.key()
    await world.act(lambda act: revoke_key(act, revoked.id))
    expired, _ = await world.key(expires=world.clock.micros + 1_000_000)
    world.clock.now += 1
    change = KeyChange(name="x", models=None, limits=KeyLimits(), expires=None)
    for key in (revoked, expired):
        for act in (
            lambda act, key=key: revoke_key(act, key.id),
            lambda act, key=key: rotate_key(act, key.id),
            lambda act, key=key: change_key(act, key.id, change),
        ):
            assert (await refusal(world, act)).reason == "conflict"


async def test_a_key_changes_and_keeps_its_text(world: World) -> None:
    await peopled(world)
    made, token = await world.key(expires=world.clock.micros + HOUR)
    change = KeyChange(name="new", models=("local",), limits=KeyLimits(concurrency=2), expires=None)
    changed = await world.act(lambda act: change_key(act, made.id, change))
    wanted: dict[str, Any] = attrs.asdict(change, recurse=False)
    assert changed == attrs.evolve(made, **wanted, generation=changed.generation)
    assert changed.generation > made.generation
    assert (await world.look(lambda look: find_key(look, token.prefix))) == changed


async def test_nobody_gives_away_what_they_lack(world: World) -> None:
    await peopled(world)
    developer = actor("developer", "project", models=("local*", "giga"))
    made, _ = await world.act(lambda act: create_key(act, project_name="shop", models=["giga"]), developer)
    assert made.models == ("giga",)
    wider: list[dict[str, Any]] = [
        {"role": "owner"},
        {"reach": "organization"},
        {"reach": "gateway"},
        {"models": None},
        {"models": ["giga", "other"]},
        {"models": ["*"]},
    ]
    for facts in wider:
        asked = {"project_name": "shop", "models": ["giga"], **facts}
        refused = await refusal(world, lambda act, asked=asked: create_key(act, **asked), developer)
        assert refused.reason == "denied"
    # nor do they get it by replacing a key that has it
    strong, _ = await world.key(role="owner")
    free, _ = await world.key()
    for key in (strong, free):
        refused = await refusal(world, lambda act, key=key: rotate_key(act, key.id, overlap=1), developer)
        assert refused.reason == "denied"


async def test_other_peoples_keys_look_as_if_they_were_not_there(world: World) -> None:
    await peopled(world)
    made, token = await world.key(project_name="den")
    for who in (actor("owner", "organization"), actor("owner", "project"), actor("developer", "project")):
        for name in (made.id, token.prefix):
            unknown = await refusal(world, lambda act: revoke_key(act, "key-00000000000000000000"), who)
            refused = await refusal(world, lambda act, name=name: revoke_key(act, name), who)
            assert refused.reason == unknown.reason == "missing"
            assert str(refused) == str(unknown).replace("key-00000000000000000000", name)
        assert (await world.look(lambda look: list_keys(look, Cut()), who)).items == ()


async def test_a_members_key_has_at_most_their_role(world: World) -> None:
    await peopled(world)
    person = await world.act(
        lambda act: add_member(act, organization="acme", project="shop", name="i@acme.example", role="developer")
    )
    made, _ = await world.key(member=person.id)
    assert made.member == person.id
    for facts in ({"role": "owner"}, {"reach": "organization"}, {"project_name": "lab"}):
        asked = {"project_name": "shop", "member": person.id, **facts}
        assert (await refusal(world, lambda act, asked=asked: create_key(act, **asked))).reason == "conflict"
    stranger = "member-00000000000000000000"
    refused = await refusal(world, lambda act: create_key(act, project_name="shop", member=stranger))
    assert refused.reason == "missing"


async def test_lists_come_in_pages(world: World) -> None:
    await peopled(world)
    made = []
    for _ in range(7):
        world.clock.now += 0.01
        made.append((await world.key())[0].id)
    seen: list[str] = []
    after: str | None = None
    sizes = []
    while True:
        page = await world.look(partial(list_keys, page=Cut(limit=3, after=after)))
        seen += [key.id for key in page.items]
        sizes.append(len(page.items))
        after = page.next
        if after is None:
            break
    assert (seen, sizes) == (made, [3, 3, 1])


async def test_closing_an_organization_ends_all_of_its_keys(world: World) -> None:
    await peopled(world)
    theirs = [(await world.key(project_name=name))[0].id for name in ("shop", "lab")]
    other, _ = await world.key(project_name="den")
    await world.act(lambda act: close_organization(act, "acme"))
    found = {key.id: key.revoked for key in (await world.look(lambda look: list_keys(look, Cut()))).items}
    assert found == {**dict.fromkeys(theirs, world.clock.micros), other.id: None}
    assert (await refusal(world, lambda act: create_key(act, project_name="shop"))).reason == "conflict"


@pytest.mark.parametrize(
    "facts",
    [
        {"scopes": []},
        {"scopes": ["root"]},
        {"models": []},
        {"models": [""]},
        {"models": ["a\n"]},
        {"models": ["m"] * 101},
        {"name": "a\x00b"},
        {"name": "x" * 201},
    ],
)
async def test_nonsense_is_refused(small_world: World, facts: dict[str, Any]) -> None:
    await peopled(small_world)
    asked = {"project_name": "shop", **facts}
    refused = await refusal(small_world, lambda act: create_key(act, **asked))
    assert refused.reason == "invalid"
    assert refused.param == next(iter(facts))


async def test_a_key_cannot_end_before_it_begins(small_world: World) -> None:
    await peopled(small_world)
    now = small_world.clock.micros
    assert (
        await refusal(small_world, lambda act: create_key(act, project_name="shop", expires=now))
    ).reason == "conflict"
    made, _ = await small_world.key(expires=now + 1)
    assert made.expires == now + 1
