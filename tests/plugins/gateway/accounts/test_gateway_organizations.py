"""Organizations, projects, members and plans, on both databases."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from mlo_gateway.accounts.config import PlanConfig
from mlo_gateway.accounts.errors import ActRefused
from mlo_gateway.accounts.keys import list_keys
from mlo_gateway.accounts.members import add_member, change_member, find_member, list_members, remove_member
from mlo_gateway.accounts.organizations import (
    change_organization,
    close_organization,
    create_organization,
    find_organization,
    list_organizations,
)
from mlo_gateway.accounts.paging import Cut
from mlo_gateway.accounts.planning import drop_plan, find_plan, set_plan
from mlo_gateway.accounts.plans import Catalogue
from mlo_gateway.accounts.projects import change_project, close_project, create_project, find_project, list_projects
from mlo_gateway.accounts.records import OPERATOR, Actor
from tests.plugins.gateway.accounts.stores import World, actor, names, peopled

pytestmark = pytest.mark.anyio


async def reason(world: World, function: Any, who: Actor = OPERATOR) -> str:
    with pytest.raises(ActRefused) as refused:
        await world.act(function, who)
    return refused.value.reason


async def test_everybody_sees_their_own(world: World) -> None:
    await peopled(world)
    seen = {}
    for reach in ("gateway", "organization", "project"):
        who = actor("viewer", reach)
        organizations = await world.look(lambda look: list_organizations(look, Cut()), who)
        projects = await world.look(lambda look: list_projects(look, Cut()), who)
        seen[reach] = (names(organizations.items), names(projects.items))
    assert seen == {
        "gateway": (["acme", "rival"], ["den", "lab", "shop"]),
        "organization": (["acme"], ["lab", "shop"]),
        "project": (["acme"], ["shop"]),
    }


async def test_what_is_not_seen_is_not_there(world: World) -> None:
    await peopled(world)
    who = actor("owner", "project")
    for look in (
        lambda look: find_organization(look, "rival"),
        lambda look: find_project(look, "lab"),
        lambda look: find_project(look, "nothing"),
    ):
        with pytest.raises(ActRefused) as refused:
            await world.look(look, who)
        assert refused.value.reason == "missing"


async def test_names_are_used_once(world: World) -> None:
    await peopled(world)
    await world.act(lambda act: close_project(act, "shop"))
    await world.act(lambda act: close_organization(act, "rival"))
    for name in ("acme", "rival"):
        assert await reason(world, lambda act, name=name: create_organization(act, name=name)) == "conflict"
    for name in ("shop", "den", "lab"):
        made = await reason(world, lambda act, name=name: create_project(act, name=name, organization="acme"))
        assert made == "conflict"


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a b", "ё", "a\n", "a" * 64, "a/b", "a;--"])
async def test_names_are_plain(small_world: World, name: str) -> None:
    assert await reason(small_world, lambda act: create_organization(act, name=name)) == "invalid"


async def test_the_plan_is_the_operators_to_choose(world: World) -> None:
    await peopled(world)
    owner = actor("owner", "organization")
    made = await world.act(lambda act: create_project(act, name="own", organization="acme"), owner)
    assert made.plan == "enterprise"
    assert await reason(world, lambda act: change_project(act, "shop", plan="pro"), owner) == "denied"
    free = await reason(world, lambda act: create_project(act, name="p", organization="acme", plan="free"), owner)
    assert free == "denied"
    changed = await world.act(lambda act: change_project(act, "shop", plan="pro", title="The shop"))
    assert (changed.plan, changed.title) == ("pro", "The shop")
    assert await reason(world, lambda act: change_project(act, "shop", plan="gold")) == "missing"


async def test_titles_change(world: World) -> None:
    await peopled(world)
    await world.act(lambda act: change_organization(act, "acme", title="АО «Акме»"))
    await world.act(lambda act: change_project(act, "shop", title="Магазин"), actor("owner", "project"))
    found = await world.look(lambda look: (find_organization(look, "acme").title, find_project(look, "shop").title))
    assert found == ("АО «Акме»", "Магазин")


async def test_what_is_closed_stays_closed(world: World) -> None:
    await peopled(world)
    closed = await world.act(lambda act: close_organization(act, "acme"))
    assert closed.closed == world.clock.micros
    assert (await world.look(lambda look: find_project(look, "shop"))).closed == world.clock.micros
    for function in (
        lambda act: close_organization(act, "acme"),
        lambda act: change_organization(act, "acme", title="x"),
        lambda act: create_project(act, name="new", organization="acme"),
        lambda act: change_project(act, "shop", title="x"),
        lambda act: close_project(act, "shop"),
        lambda act: add_member(act, organization="acme", name="n", role="viewer"),
    ):
        assert await reason(world, function) == "conflict"


async def test_a_member_leaves_with_their_keys(world: World) -> None:
    await peopled(world)
    person = await world.act(lambda act: add_member(act, organization="acme", name="Ира", role="developer"))
    theirs, _ = await world.key(member=person.id)
    other, _ = await world.key()
    assert await reason(world, lambda act: add_member(act, organization="acme", name="Ира", role="owner")) == "conflict"
    await world.act(lambda act: remove_member(act, person.id))
    living = await world.look(lambda look: list_keys(look, Cut(), active=True))
    assert [key.id for key in living.items] == [other.id]
    assert (await world.look(lambda look: list_members(look, Cut()))).items == ()
    assert await reason(world, lambda act: remove_member(act, person.id)) == "missing"
    again = await world.act(lambda act: add_member(act, organization="acme", name="Ира", role="viewer"))
    assert again.id != person.id
    assert theirs.member == person.id


async def test_owners_look_after_the_members_of_their_place(world: World) -> None:
    await peopled(world)
    owner = actor("owner", "project")
    mine = await world.act(
        lambda act: add_member(act, organization="acme", project="shop", name="a", role="viewer"), owner
    )
    assert (await world.act(lambda act: change_member(act, mine.id, role="owner"), owner)).role == "owner"
    wide = await reason(world, lambda act: add_member(act, organization="acme", name="b", role="viewer"), owner)
    lab = await reason(
        world, lambda act: add_member(act, organization="acme", project="lab", name="b", role="viewer"), owner
    )
    foreign = await reason(world, lambda act: add_member(act, organization="rival", name="b", role="viewer"), owner)
    assert (wide, lab, foreign) == ("denied", "missing", "missing")
    theirs = await world.act(lambda act: add_member(act, organization="rival", name="c", role="viewer"))
    assert await reason(world, lambda act: change_member(act, theirs.id, role="viewer"), owner) == "missing"
    seen = await world.look(lambda look: list_members(look, Cut()), owner)
    assert [each.id for each in seen.items] == [mine.id]
    assert (await world.look(lambda look: find_member(look, mine.id), actor("viewer", "project"))).name == "a"


async def test_plans_are_data(world: World) -> None:
    found = await world.look(lambda look: dict(look.plans))
    assert {name: plan.terms.requests_month for name, plan in found.items()} == {
        "enterprise": None,
        "free": 1000,
        "pro": 10_000,
    }
    assert (found["pro"].terms.price, found["free"].terms.overage) == ("1990", "block")


async def test_plans_are_written_down_and_dropped(world: World) -> None:
    terms = PlanConfig(title="Team", budget="500.000000001", requests_minute=60)
    made = await world.act(lambda act: set_plan(act, "team", terms))
    assert made == await world.look(lambda look: find_plan(look, "team"))
    assert (made.terms, made.source) == (terms, "database")
    await world.act(lambda act: set_plan(act, "team", attrs.evolve(terms, overage="warn")))
    await peopled(world)
    await world.act(lambda act: change_project(act, "shop", plan="team"))
    assert await reason(world, lambda act: drop_plan(act, "team")) == "conflict"
    await world.act(lambda act: change_project(act, "shop", plan="free"))
    await world.act(lambda act: drop_plan(act, "team"))
    assert await reason(world, lambda act: drop_plan(act, "team")) == "missing"


async def test_a_plan_of_the_package_may_be_set_and_comes_back(world: World) -> None:
    await world.act(lambda act: set_plan(act, "free", PlanConfig(requests_month=50)))
    assert (await world.look(lambda look: find_plan(look, "free"))).terms.requests_month == 50
    await world.act(lambda act: drop_plan(act, "free"))
    assert (await world.look(lambda look: find_plan(look, "free"))).source == "package"
    assert await reason(world, lambda act: drop_plan(act, "free")) == "conflict"


async def test_the_configuration_has_the_last_word(small_world: World) -> None:
    await small_world.act(lambda act: set_plan(act, "team", PlanConfig(requests_month=1)))
    small_world.accounts.catalogue = Catalogue(configured={"team": PlanConfig(requests_month=2)})
    assert (await small_world.look(lambda look: find_plan(look, "team"))).terms.requests_month == 2
    for function in (lambda act: set_plan(act, "team", PlanConfig()), lambda act: drop_plan(act, "team")):
        assert await reason(small_world, function) == "conflict"


@pytest.mark.parametrize(
    "terms",
    [
        {"requests_month": 0},
        {"requests_minute": -1},
        {"budget": "ten"},
        {"budget": "-1"},
        {"price": "1e-12"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
    ],
)
def test_terms_that_make_no_sense(terms: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(terms))):
        PlanConfig(**terms)
