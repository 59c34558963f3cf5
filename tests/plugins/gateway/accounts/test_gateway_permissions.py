"""Who may do what: the whole matrix, and what holds for all of it."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlo_gateway.accounts.errors import ActRefused
from mlo_gateway.accounts.permissions import Act, covers, demand, is_at_most, may, narrower, place_of, sees
from mlo_gateway.accounts.records import ROLES, Actor, Place
from tests.plugins.gateway.accounts.stores import actor

ACTS: tuple[Act, ...] = get_args(Act)
GATEWAY, ACME = Place(), Place(organization="acme")
SHOP, LAB = Place(organization="acme", project="shop"), Place(organization="acme", project="lab")
DEN = Place(organization="rival", project="den")
ALL = [GATEWAY, ACME, SHOP, LAB, Place(organization="rival"), DEN]

READ = {"read"}
DEVELOP = READ | {"keys"}
RUN = DEVELOP | {"members", "projects"}
EVERYTHING = RUN | {"organizations", "plans"}
NOTHING: set[str] = set()

MATRIX = {
    # role, reach: what it may do at the gateway, acme, shop, lab, rival, den
    ("owner", "gateway"): [EVERYTHING] * 6,
    ("developer", "gateway"): [DEVELOP] * 6,
    ("viewer", "gateway"): [READ] * 6,
    ("owner", "organization"): [NOTHING, RUN, RUN, RUN, NOTHING, NOTHING],
    ("developer", "organization"): [NOTHING, DEVELOP, DEVELOP, DEVELOP, NOTHING, NOTHING],
    ("viewer", "organization"): [NOTHING, READ, READ, READ, NOTHING, NOTHING],
    ("owner", "project"): [NOTHING, NOTHING, RUN, NOTHING, NOTHING, NOTHING],
    ("developer", "project"): [NOTHING, NOTHING, DEVELOP, NOTHING, NOTHING, NOTHING],
    ("viewer", "project"): [NOTHING, NOTHING, READ, NOTHING, NOTHING, NOTHING],
}


@pytest.mark.parametrize(("role", "reach"), list(MATRIX))
def test_the_matrix(role: str, reach: str) -> None:
    who = actor(role, reach)
    assert [{act for act in ACTS if may(who, act, place)} for place in ALL] == MATRIX[role, reach]


actors = st.builds(
    actor,
    st.sampled_from(ROLES),
    st.sampled_from(["gateway", "organization", "project"]),
    st.sampled_from(["acme", "rival"]),
    st.sampled_from(["shop", "den"]),
)
places = st.sampled_from(ALL)


@given(actors, actors, places, st.sampled_from(ACTS))
def test_a_higher_role_may_do_at_least_as_much(one: Actor, other: Actor, place: Place, act: Act) -> None:
    higher = actor(one.role, other.reach, other.organization, other.project)
    if is_at_most(other.role, higher.role) and may(other, act, place):
        assert may(higher, act, place)


@given(actors, places, st.sampled_from(ACTS))
def test_what_may_be_done_may_be_seen(who: Actor, place: Place, act: Act) -> None:
    if may(who, act, place):
        assert covers(who, place)
        assert sees(who, place)


@given(actors, places, st.sampled_from(ACTS))
def test_what_may_not_be_seen_looks_as_if_it_were_not_there(who: Actor, place: Place, act: Act) -> None:
    if may(who, act, place):
        demand(who, act, place, kind="project", name="x")
        return
    with pytest.raises(ActRefused) as refused:
        demand(who, act, place, kind="project", name="x")
    assert refused.value.reason == ("denied" if sees(who, place) else "missing")


@given(st.sampled_from(ROLES), st.sampled_from(ROLES))
def test_the_narrower_of_two_roles_is_one_of_them(one: str, other: str) -> None:
    found = narrower(one, other)  # type: ignore[arg-type]
    assert found in {one, other}
    assert is_at_most(found, one) and is_at_most(found, other)  # type: ignore[arg-type]


def test_an_actor_covers_its_own_place() -> None:
    for reach in ("gateway", "organization", "project"):
        who = actor("viewer", reach)
        assert covers(who, place_of(who.reach, who.organization, who.project))
