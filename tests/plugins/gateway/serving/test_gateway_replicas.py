"""Three replicas that share PostgreSQL and Redis: limits hold for all of them together, whatever happens to one."""

from __future__ import annotations

import collections
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import httpx
import pytest
from attrs import frozen
from sqlalchemy import text

from mlo_ledger.database import Database
from tests.plugins.gateway.serving.processes import GatewayProcess, gateway, until
from tests.services.postgres import PostgresServer, postgres_server
from tests.services.redis import RedisServer, redis_server

# starting three of everything takes its time
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

_REQUESTS = int(os.environ.get("MLO_REPLICA_REQUESTS", "150"))
_CONFIGURATION = """
[gateway]
database = "env:DATABASE"

[gateway.limits]
redis = "env:REDIS"
redis_timeout = 1.0
lease = 2.0

[gateway.plans.monthly]
requests_month = 40

[gateway.plans.killed]
requests_month = 60

[gateway.plans.minutely]
requests_minute = 30

[gateway.plans.narrow]
concurrency = 5

[providers.mock]
use = "mock"

[providers.slow]
use = "mock"
chunk_delay = 0.1
answer = "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29"

[providers.pausing]
use = "mock"
delay = 0.3

[providers.ill]
use = "mock"
mode = "overloaded"
"""


@frozen
class Fleet:
    replicas: tuple[GatewayProcess, ...]
    postgres: PostgresServer
    redis: RedisServer
    database: str
    folder: Path

    @property
    def first(self) -> GatewayProcess:
        return self.replicas[0]

    def admin(self, method: str, path: str, **body: object) -> httpx.Response:
        url = f"{self.first.url}/admin/v1{path}"
        done = httpx.request(method, url, json=body or None, headers=self.first.headers(), timeout=15, verify=False)
        assert done.is_success, done.text
        return done

    def key(self, plan: str) -> tuple[str, str]:
        """Id and text of a new key for a new project on a plan."""
        name = f"{plan}-{time.monotonic_ns()}"
        self.admin("POST", "/projects", name=name, organization="default", plan=plan)
        made = self.admin("POST", "/keys", project=name, name="test").json()
        return made["id"], made["secret"]

    def counted(self, key_id: str) -> int:
        """Calls of a key that the database has."""
        database = Database(self.database)
        query = text("SELECT count(*) FROM usage_event WHERE key_id = :key AND final = 1 AND status = 'ok'")
        try:
            found: int = database.read_now(lambda connection: connection.execute(query, {"key": key_id}).scalar_one())
        finally:
            database.close()
        return found


@pytest.fixture
def anyio_backend() -> object:
    """The client of this test; gateways are other processes."""
    return ("asyncio", {"use_uvloop": False})


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        redis = stack.enter_context(redis_server())
        url, folder = postgres.database(), tmp_path_factory.mktemp("fleet")
        places = {"DATABASE": url, "REDIS": redis.url}
        key = ""
        replicas = []
        for number in range(3):
            one = gateway(folder / str(number), _CONFIGURATION, environment=places, key=key)
            replicas.append(stack.enter_context(one))
            key = replicas[0].key
        yield Fleet(tuple(replicas), postgres, redis, url, folder)


async def _all(fleet: Fleet, key: str, model: str, count: int) -> collections.Counter[str]:
    """Ask many times at once, of all replicas in turn; how often each answer came."""
    answers: collections.Counter[str] = collections.Counter()
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    limits = httpx.Limits(max_connections=60, max_keepalive_connections=60)

    async with httpx.AsyncClient(timeout=20, verify=False, limits=limits) as client:

        async def one(replica: GatewayProcess) -> None:
            try:
                url = f"{replica.url}/v1/chat/completions"
                answer = await client.post(url, json=body, headers=replica.headers(key))
            except httpx.HTTPError as error:
                answers[type(error).__name__] += 1
            else:
                answers["ok" if answer.is_success else answer.json()["error"]["code"]] += 1

        async with anyio.create_task_group() as tasks:
            for number in range(count):
                tasks.start_soon(one, fleet.replicas[number % len(fleet.replicas)])
    return answers


async def test_a_rate_holds_for_all_together(fleet: Fleet) -> None:
    _, key = fleet.key("minutely")
    began = time.monotonic()
    answers = await _all(fleet, key, "mock", _REQUESTS)
    given_back = int((time.monotonic() - began) * 30 / 60)
    assert set(answers) == {"ok", "rate_limit_exceeded"}
    assert 30 <= answers["ok"] <= 30 + given_back


async def test_a_month_holds_for_all_together(fleet: Fleet) -> None:
    ident, key = fleet.key("monthly")
    answers = await _all(fleet, key, "mock", _REQUESTS)
    assert answers["ok"] == 40
    assert sum(answers.values()) == _REQUESTS
    assert len(answers) == 2, answers
    until(lambda: fleet.counted(ident) == 40)
    refused = fleet.first.ask(key=key)
    assert refused.status_code == 429
    assert float(refused.headers["retry-after"]) > 0


async def test_concurrency_holds_for_all_together(fleet: Fleet) -> None:
    _, key = fleet.key("narrow")
    answers = await _all(fleet, key, "pausing", 30)
    # all thirty come within the 0.3 seconds that the first five take, or soon after: never more than five at a time
    assert set(answers) == {"ok", "concurrency_limit_exceeded"}
    assert 5 <= answers["ok"] < 30
    assert (await _all(fleet, key, "mock", 1))["ok"] == 1


async def test_a_revoked_key_ends_everywhere_and_its_streams_too(fleet: Fleet) -> None:
    ident, key = fleet.key("enterprise")
    other = fleet.replicas[1]
    body = {"model": "slow", "stream": True, "messages": [{"role": "user", "content": "count"}]}
    async with httpx.AsyncClient(timeout=20, verify=False) as client:
        url = f"{other.url}/v1/chat/completions"
        async with client.stream("POST", url, json=body, headers=other.headers(key)) as stream:
            assert stream.status_code == 200
            lines = stream.aiter_lines()
            await anext(lines)
            await anyio.to_thread.run_sync(fleet.admin, "DELETE", f"/keys/{ident}")
            rest = [line async for line in lines]
    # the whole answer would have taken three seconds
    assert any("key_revoked" in line for line in rest)
    assert not any("29" in line for line in rest)
    for replica in fleet.replicas:
        until(lambda replica=replica: replica.ask(key=key).status_code == 401, 1)  # type: ignore[misc]


async def test_an_ill_provider_is_left_alone_by_all(fleet: Fleet) -> None:
    def opened(replica: GatewayProcess) -> bool:
        lines = replica.get("/metrics").text.splitlines()
        return any(line.startswith("mlo_breaker_state") and '"ill"' in line and line.endswith(" 2.0") for line in lines)

    assert not any(opened(replica) for replica in fleet.replicas)
    for _ in range(6):
        fleet.first.ask("ill")
    assert opened(fleet.first)
    until(lambda: all(opened(replica) for replica in fleet.replicas), 5)


async def test_postgresql_away_loses_nothing(fleet: Fleet) -> None:
    ident, key = fleet.key("enterprise")
    assert (await _all(fleet, key, "mock", 9))["ok"] == 9
    fleet.postgres.stop()
    try:
        answers = await _all(fleet, key, "mock", 30)
        assert answers["ok"] == 30
        until(lambda: "behind" in fleet.first.get("/readyz").json()["checks"]["ledger"])
        assert fleet.first.get("/readyz").status_code == 200
    finally:
        fleet.postgres.start()
    until(lambda: fleet.counted(ident) == 39)
    until(lambda: fleet.first.get("/readyz").json()["checks"]["ledger"] == "committing")
    assert "mlo_ledger_backlog 0" in fleet.first.get("/metrics").text


async def test_redis_away_keeps_serving(fleet: Fleet) -> None:
    ident, key = fleet.key("minutely")
    fleet.redis.stop()
    try:
        answers = await _all(fleet, key, "mock", 12)
        assert answers == {"ok": 12}
        assert fleet.first.get("/readyz").json()["checks"]["limits"] == "alone: redis does not answer"
    finally:
        fleet.redis.start()
    until(lambda: all(each.get("/readyz").json()["checks"]["limits"] == "shared" for each in fleet.replicas))
    until(lambda: fleet.counted(ident) == 12)


async def test_a_replica_killed_in_the_middle(fleet: Fleet) -> None:
    ident, key = fleet.key("killed")
    _, narrow = fleet.key("narrow")
    victim = fleet.replicas[2]

    async def hold() -> None:
        body = {"model": "slow", "stream": True, "messages": [{"role": "user", "content": "count"}]}
        async with httpx.AsyncClient(timeout=20, verify=False) as client:
            try:
                await client.post(f"{victim.url}/v1/chat/completions", json=body, headers=victim.headers(narrow))
            except httpx.HTTPError:
                return

    async def kill() -> None:
        await anyio.sleep(0.25)
        victim.tell(signal.SIGKILL)

    seen: collections.Counter[str] = collections.Counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(hold)
        tasks.start_soon(kill)
        with anyio.move_on_after(15):
            while victim.process.poll() is None or seen["requests-exhausted"] < 3:
                seen += await _all(fleet, key, "pausing", 9)
                if victim.process.poll() is not None and len(seen) > 2:
                    break
    # places that the victim held are free again once its leases lapse
    until(lambda: fleet.first.ask(key=narrow).status_code == 200, 6)
    # whatever the victim did, the month is never exceeded
    for _ in range(4):
        seen += await _all(fleet, key, "mock", 30)
    assert seen["ok"] <= 60
    until(lambda: fleet.counted(ident) >= seen["ok"] - 9)  # the rest is in the victim's journal
    # started again in its folder, it tells what its journal has
    places = {"DATABASE": fleet.database, "REDIS": fleet.redis.url}
    with gateway(fleet.folder / "2", _CONFIGURATION, environment=places, key=victim.key) as again:
        until(lambda: fleet.counted(ident) >= seen["ok"])
        assert again.ask(key=key).status_code in {200, 429}
    assert fleet.counted(ident) <= 60
