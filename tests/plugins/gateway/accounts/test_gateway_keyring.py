"""Keys in memory: who is let in, how soon acts are seen, and what happens while the database is away."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, event

from mlo.secret import Secret
from mlo_gateway.accounts.config import AccountsConfig, PlanConfig
from mlo_gateway.accounts.key_rows import row_of
from mlo_gateway.accounts.keyring import KeyRing
from mlo_gateway.accounts.keys import KeyChange, change_key, find_key, revoke_key, rotate_key
from mlo_gateway.accounts.loading import Entry, read_active
from mlo_gateway.accounts.members import add_member, change_member, remove_member
from mlo_gateway.accounts.opening import open_accounts
from mlo_gateway.accounts.planning import drop_plan, set_plan
from mlo_gateway.accounts.plans import Catalogue
from mlo_gateway.accounts.projects import change_project, close_project
from mlo_gateway.accounts.records import OPERATOR, ApiKey, KeyLimits
from mlo_gateway.accounts.schema import api_key
from mlo_gateway.accounts.tokens import new_token
from mlo_gateway.accounts.watching import Watchers
from mlo_gateway.config import GatewayConfig
from mlo_gateway.contracts import GatewayError, Principal
from mlo_gateway.limits.allowances import Allowance, allowances_of
from mlo_ledger.database import Database
from mlo_ledger.limits import Limit
from tests.plugins.gateway.accounts.stores import Clock, World, bearer, copy_of, peopled
from tests.services.postgres import postgres_server

pytestmark = pytest.mark.anyio

HOUR = 3_600_000_000
SECOND = 1_000_000


@define
class Books:
    """A keeper of monthly limits."""

    kept: dict[str, Limit] = field(factory=dict)
    told: int = 0

    async def limit(self, *limits: Limit) -> None:
        self.told += 1
        self.kept |= {limit.scope: limit for limit in limits}

    async def unlimit(self, scope: str, /) -> None:
        self.told += 1
        del self.kept[scope]


async def ring_of(world: World, budgets: Books | None = None, **config: Any) -> KeyRing:
    ring = KeyRing(world.database, world.catalogue, config=AccountsConfig(**config), budgets=budgets, clock=world.clock)
    await ring.load()
    return ring


async def principal(ring: KeyRing, header: bytes | None) -> Principal:
    found = ring.authenticate(header)
    return found if isinstance(found, Principal) else await found


async def refusal(ring: KeyRing, header: bytes | None) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        await principal(ring, header)
    return refused.value


def at_once(ring: KeyRing, header: bytes) -> Principal:
    found = ring.authenticate(header)
    assert isinstance(found, Principal)
    return found


async def test_a_key_stands_for_its_project(world: World) -> None:
    await peopled(world)
    made, token = await world.key(models=["local*"], role="viewer", expires=world.clock.micros + HOUR)
    found = at_once(await ring_of(world), bearer(token))
    assert (found.key_id, found.prefix, found.project, found.organization) == (made.id, made.prefix, "shop", "acme")
    assert (found.role, found.models) == ("viewer", ("local*",))
    assert found.scopes == {"inference"}
    assert (found.plan, found.expires_at, found.generation) == ("enterprise", world.clock.now + 3600, made.generation)
    assert token.text not in repr(found)


async def test_without_a_good_key_nobody_gets_in(world: World) -> None:
    await peopled(world)
    _, token = await world.key()
    ring = await ring_of(world)
    cases = {
        None: "missing_api_key",
        b"": "missing_api_key",
        b"Basic " + token.text.encode(): "missing_api_key",
        token.text.encode(): "missing_api_key",
        b"Bearer": "invalid_api_key",
        bearer(token)[:-1]: "invalid_api_key",
        bearer(token) + b"x": "invalid_api_key",
        bearer(new_token()): "invalid_api_key",
        b"Bearer sk-something": "invalid_api_key",
    }
    for header, code in cases.items():
        refused = await refusal(ring, header)
        assert (refused.status, refused.code) == (401, code)
        assert token.text[4:] not in str(refused)


@given(st.binary(max_size=100))
def test_whatever_is_sent_is_answered(header: bytes) -> None:
    ring = KeyRing(Database("sqlite:///never-opened.db"), Catalogue())
    found: Principal | Awaitable[Principal] | None = None
    with pytest.raises(GatewayError) as refused:
        found = ring.authenticate(header)
    assert (found, refused.value.status) == (None, 401)


async def test_a_key_ends_at_its_very_instant(world: World) -> None:
    await peopled(world)
    ends = world.clock.micros + HOUR
    _, token = await world.key(expires=ends)
    ring = await ring_of(world)
    world.clock.now = (ends - 1) / SECOND
    at_once(ring, bearer(token))
    world.clock.now = ends / SECOND
    refused = await refusal(ring, bearer(token))
    assert (refused.code, "expired" in refused.message) == ("invalid_api_key", True)
    # and whoever has it not in memory says the same
    fresh = await ring_of(world)
    assert fresh.state.keys == 0
    assert (await refusal(fresh, bearer(token))).message == refused.message


async def test_both_keys_open_while_a_rotation_overlaps(world: World) -> None:
    await peopled(world)
    old, token = await world.key()
    ring = await ring_of(world)
    _, newer, _ = await world.act(lambda act: rotate_key(act, old.id, overlap=60 * SECOND))
    await ring.refresh()
    assert at_once(ring, bearer(token)).key_id != at_once(ring, bearer(newer)).key_id
    world.clock.now += 60
    assert (await refusal(ring, bearer(token))).code == "invalid_api_key"
    at_once(ring, bearer(newer))


async def test_acts_are_seen_after_a_refresh(world: World) -> None:
    await peopled(world)
    made, token = await world.key()
    ring = await ring_of(world)
    await world.act(
        lambda act: change_key(
            act, made.id, KeyChange(name="", models=("a",), limits=KeyLimits(concurrency=1), expires=None)
        )
    )
    assert at_once(ring, bearer(token)).models is None
    await ring.refresh()
    changed = at_once(ring, bearer(token))
    assert (changed.models, allowances_of(changed)) == (("a",), (Allowance(scope=f"key:{made.id}", concurrency=1),))
    assert changed.generation > made.generation
    await world.act(lambda act: revoke_key(act, made.id))
    await ring.refresh()
    refused = await refusal(ring, bearer(token))
    assert (refused.status, "was revoked" in refused.message) == (401, True)


async def test_a_key_of_another_replica_is_found_when_it_comes(world: World) -> None:
    await peopled(world)
    ring = await ring_of(world)
    _, token = await world.key()
    found = ring.authenticate(bearer(token))
    assert not isinstance(found, Principal)
    await found
    at_once(ring, bearer(token))


async def test_an_unknown_key_becomes_known(world: World) -> None:
    await peopled(world)
    ring = await ring_of(world)
    stranger = new_token()
    await refusal(ring, bearer(stranger))
    with pytest.raises(GatewayError):  # noted: no second query
        ring.authenticate(bearer(stranger))
    _, token = await world.key()
    await ring.refresh()
    at_once(ring, bearer(token))
    again = ring.authenticate(bearer(stranger))
    assert not isinstance(again, Principal)  # asks anew after an act
    with pytest.raises(GatewayError):
        await again


async def test_many_strangers_at_once_are_few_queries(world: World) -> None:
    await peopled(world)
    ring = await ring_of(world)
    _, token = await world.key()
    queries: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        queries.append(statement)

    engine = world.database._engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        refused: list[GatewayError] = []

        async def come() -> None:
            refused.append(await refusal(ring, bearer(new_token())))

        async with anyio.create_task_group() as tasks:
            for _ in range(300):
                tasks.start_soon(come)
            tasks.start_soon(principal, ring, bearer(token))
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert len(refused) == 300
    assert len([statement for statement in queries if "digest IN" in statement]) <= 3


async def test_strangers_leave_no_trace(small_world: World) -> None:
    await peopled(small_world)
    ring = await ring_of(small_world)
    cabinet = ring._cabinet
    for number in range(10_000):
        cabinet.note_unknown(number.to_bytes(4, "big"), "no")
    assert len(cabinet.unknown) == 4096


async def test_more_keys_than_fit_in_memory_all_open(world: World) -> None:
    await peopled(world)
    tokens = [(await world.key())[1] for _ in range(12)]
    ring = await ring_of(world, keys_in_memory=5)
    assert (ring.state.keys, ring.state.complete) == (5, False)
    for _ in range(2):
        for token in tokens:
            assert (await principal(ring, bearer(token))).prefix == token.prefix
    assert ring.state.keys == 5
    made = await world.look(lambda look: find_key(look, tokens[0].prefix))
    await world.act(lambda act: revoke_key(act, made.id))
    await ring.refresh()
    assert (await refusal(ring, bearer(tokens[0]))).code == "invalid_api_key"


async def test_scopes_keep_the_two_planes_apart(world: World) -> None:
    await peopled(world)
    _, user = await world.key()
    _, admin = await world.key(scopes=["admin"])
    ring = await ring_of(world)
    assert isinstance(await ring.administrator(bearer(admin)), Entry)
    for refused in (await refusal(ring, bearer(admin)), await _refused(ring.administrator(bearer(user)))):
        assert (refused.status, refused.code) == (403, "insufficient_scope")
    assert (await _refused(ring.administrator(None))).status == 401


async def _refused(awaitable: Awaitable[object]) -> GatewayError:
    with pytest.raises(GatewayError) as refused:
        await awaitable
    return refused.value


async def test_a_lower_role_of_a_member_lowers_their_keys(world: World) -> None:
    await peopled(world)
    person = await world.act(lambda act: add_member(act, organization="acme", name="n", role="owner"))
    _, token = await world.key(role="owner", member=person.id)
    ring = await ring_of(world)
    assert at_once(ring, bearer(token)).role == "owner"
    await world.act(lambda act: change_member(act, person.id, role="viewer"))
    await ring.refresh()
    assert at_once(ring, bearer(token)).role == "viewer"
    await world.act(lambda act: remove_member(act, person.id))
    await ring.refresh()
    assert (await refusal(ring, bearer(token))).status == 401


async def test_plans_become_rates_and_monthly_limits(world: World) -> None:
    await peopled(world)
    terms = PlanConfig(requests_month=10, budget="1.5", requests_minute=60, tokens_minute=1000, concurrency=3)
    await world.act(lambda act: set_plan(act, "team", terms))
    await world.act(lambda act: change_project(act, "shop", plan="team"))
    made, token = await world.key(limits=KeyLimits(requests_minute=5, budget=10**9))
    books = Books()
    ring = await ring_of(world, books)
    rates = allowances_of(at_once(ring, bearer(token)))
    assert rates == (
        Allowance(scope="project:shop", requests=60, tokens=1000, concurrency=3),
        Allowance(scope=f"key:{made.id}", requests=5),
    )
    assert books.kept == {
        "project:shop": Limit(scope="project:shop", requests=10, nano=1_500_000_000),
        f"key:{made.id}": Limit(scope=f"key:{made.id}", nano=10**9),
    }
    told = books.told
    await world.act(lambda act: set_plan(act, "other", terms))
    await ring.refresh()
    assert books.told == told  # only what changes is told
    await world.act(lambda act: set_plan(act, "team", PlanConfig(requests_month=20, overage="warn", time_zone="UTC")))
    await ring.refresh()
    wanted = Limit(scope="project:shop", requests=20, overage="warn", time_zone="UTC")
    assert books.kept["project:shop"] == wanted
    assert [rate.scope for rate in allowances_of(at_once(ring, bearer(token)))] == [f"key:{made.id}"]
    await world.act(lambda act: change_project(act, "shop", plan="enterprise"))
    await world.act(lambda act: revoke_key(act, made.id))
    _, other = await world.key()
    await ring.refresh()
    at_once(ring, bearer(other))
    assert books.kept == {}


async def test_a_new_keeper_of_limits_is_told_everything(small_world: World) -> None:
    await peopled(small_world)
    await small_world.act(lambda act: change_project(act, "shop", plan="free"))
    await small_world.key()
    first, second = Books(), Books()
    ring = await ring_of(small_world, first)
    await ring.use(Catalogue(), second)
    assert first.kept == second.kept == {"project:shop": Limit(scope="project:shop", requests=1000)}
    await ring.use(Catalogue(configured={"free": PlanConfig(requests_month=7)}), second)
    assert second.kept["project:shop"].requests == 7


async def test_a_plan_that_is_gone_is_no_licence(world: World) -> None:
    """A project whose plan the configuration has lost must not be without limits."""
    await peopled(world)
    world.accounts.catalogue = configured = Catalogue(configured={"team": PlanConfig(requests_month=1)})
    await world.act(lambda act: change_project(act, "shop", plan="team"))
    _, token = await world.key()
    ring = await ring_of(world)
    assert "plan 'team'" in (await refusal(ring, bearer(token))).message
    await ring.use(configured, None)
    assert at_once(ring, bearer(token)).plan == "team"
    await ring.use(Catalogue(), None)
    assert (await refusal(ring, bearer(token))).status == 401
    await ring.use(configured, None)
    heard: list[str] = []
    ring.watch(at_once(ring, bearer(token)), heard.append)
    assert heard == []  # a stream of a key that opens again is no stream of a key that has ended


async def test_streams_hear_that_their_key_has_ended(world: World) -> None:
    await peopled(world)
    made = [await world.key() for _ in range(4)]
    expiring, token = await world.key(expires=world.clock.micros + 10 * SECOND)
    ring = await ring_of(world)
    heard: dict[str, list[str]] = {}
    for key, text in [*made, (expiring, token)]:
        ring.watch(at_once(ring, bearer(text)), heard.setdefault(key.id, []).append)
    leave = ring.watch(at_once(ring, bearer(made[0][1])), heard.setdefault("left", []).append)
    leave()
    leave()
    revoked, rotated, kept, closed = (key for key, _ in made)
    await world.act(lambda act: revoke_key(act, revoked.id))
    await world.act(lambda act: rotate_key(act, rotated.id, overlap=5 * SECOND))
    await ring.refresh()
    assert [ident for ident, whys in heard.items() if whys] == [revoked.id]
    world.clock.now += 5
    ring._watchers.expired(world.clock.now)
    world.clock.now += 5
    ring._watchers.expired(world.clock.now)
    assert [ident for ident, whys in heard.items() if whys] == [revoked.id, rotated.id, expiring.id]
    await world.act(lambda act: close_project(act, "shop"))
    await ring.refresh()
    whys = [why for ident in (revoked.id, rotated.id, kept.id, closed.id, expiring.id) for why in heard[ident]]
    assert ["revoked" in why for why in whys] == [True, False, True, True, False]
    assert (heard["left"], ring.state.watched) == ([], 0)


async def test_a_key_that_ended_while_its_request_came_in_is_told_of_at_once(world: World) -> None:
    await peopled(world)
    made, token = await world.key()
    ring = await ring_of(world)
    who = at_once(ring, bearer(token))
    await world.act(lambda act: revoke_key(act, made.id))
    await ring.refresh()
    heard: list[str] = []
    ring.watch(who, heard.append)()
    assert len(heard) == 1


def test_watchers_may_come_and_go_while_they_are_told() -> None:
    watchers, heard = Watchers(), []
    who = Principal(key_id="k")
    leaves: list[Callable[[], None]] = []

    def told(why: str) -> None:
        heard.append(why)
        leaves[1]()

    leaves += [watchers.watch(who, told), watchers.watch(who, told)]
    watchers.ended("k", "over")
    assert len(heard) in {1, 2}
    assert len(watchers) == 0


async def test_a_replica_hears_of_acts_within_a_second(database: Database, tmp_path: Path) -> None:
    """Two replicas with nothing in common but the database: the second one polls."""
    url = Secret(str(database._engine.url.render_as_string(hide_password=False)))
    config = GatewayConfig(accounts=AccountsConfig(refresh=0.05))
    world = await peopled(World(database, Clock()))
    made, token = await world.key()
    async with open_accounts(url, config) as one, open_accounts(url, config) as other:
        heard = anyio.Event()
        for ring in (one.ring, other.ring):
            at_once(ring, bearer(token))
        other.ring.watch(at_once(other.ring, bearer(token)), lambda _why: heard.set())
        await one.accounts.act(OPERATOR, lambda act: revoke_key(act, made.id))
        with pytest.raises(GatewayError):  # the one that acts knows at once
            one.ring.authenticate(bearer(token))
        with anyio.fail_after(1):
            await heard.wait()
        assert (await refusal(other.ring, bearer(token))).status == 401


async def test_use_is_noted_at_the_end(template: Path, tmp_path: Path) -> None:
    world = await peopled(World(copy_of(template, tmp_path)))
    made, token = await world.key()
    async with open_accounts(Secret(f"sqlite:///{tmp_path / 'mlo.db'}"), GatewayConfig(), clock=world.clock) as opened:
        assert (await world.look(lambda look: find_key(look, made.id))).last_used is None
        at_once(opened.ring, bearer(token))
    assert (await world.look(lambda look: find_key(look, made.id))).last_used == world.clock.micros
    # an act that read the key before does not take that back
    await world.act(lambda act: revoke_key(act, made.id))
    assert (await world.look(lambda look: find_key(look, made.id))).last_used == world.clock.micros
    world.database.close()


async def test_keys_in_memory_outlive_the_database() -> None:
    with postgres_server() as server:
        url = Secret(server.database())
        config = GatewayConfig(accounts=AccountsConfig(refresh=0.05))
        async with open_accounts(url, config) as opened:
            world = World(opened.accounts.database)
            await peopled(world)
            _, token = await world.key()
            await opened.ring.refresh()
            server.stop()
            with anyio.fail_after(10):
                while opened.ring.state.away_since is None:
                    await anyio.sleep(0.02)
            at_once(opened.ring, bearer(token))
            refused = await refusal(opened.ring, bearer(new_token()))
            assert (refused.status, refused.code) == (503, "accounts_unavailable")
            assert refused.retry_after is not None
            server.start()
            with anyio.fail_after(10):
                while opened.ring.state.away_since is not None:
                    await anyio.sleep(0.02)
            made, newer = await world.key()
            assert (await principal(opened.ring, bearer(newer))).key_id == made.id


async def test_looking_up_costs_the_same_with_one_key_and_with_a_thousand(small_world: World) -> None:
    """By counting what Python does, not by the clock."""
    await peopled(small_world)
    made, token = await small_world.key()
    few = await ring_of(small_world)
    await small_world.database.write(lambda connection: _thousand(connection, made))
    many = await ring_of(small_world)
    assert (few.state.keys, many.state.keys) == (1, 1001)
    assert _steps(few, bearer(token)) == _steps(many, bearer(token))


def _thousand(connection: Connection, key: ApiKey) -> None:
    copies = [row_of(attrs.evolve(key, id=f"key-{number:020}"), number.to_bytes(32, "big")) for number in range(1000)]
    connection.execute(api_key.insert(), copies)


def _steps(ring: KeyRing, header: bytes) -> int:
    steps = 0

    def trace(_frame: Any, _event: str, _argument: Any) -> Any:
        nonlocal steps
        steps += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        ring.authenticate(header)
    finally:
        sys.settrace(before)
    return steps


async def test_keys_are_read_in_three_queries_however_many_plans_there_are(small_world: World) -> None:
    await peopled(small_world)
    await small_world.act(lambda act: set_plan(act, "x", PlanConfig()))
    await small_world.act(lambda act: drop_plan(act, "x"))
    await small_world.key()
    queries: list[str] = []

    def read(connection: Connection) -> Any:
        event.listen(connection, "before_cursor_execute", lambda *arguments: queries.append(arguments[2]))
        return read_active(connection, Catalogue(), small_world.clock.micros, 10)

    assert len((await small_world.database.read(read)).entries) == 1
    assert len(queries) == 3
