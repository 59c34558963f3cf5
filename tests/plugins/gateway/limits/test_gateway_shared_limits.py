"""What happens between replicas, and while Redis is away."""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest

from mlo.errors import ConfigError
from mlo.secret import Secret
from mlo_gateway.contracts import GatewayError, Principal, Ticket
from mlo_gateway.limits import Allowance
from mlo_gateway.limits.broadcast import open_signals
from mlo_gateway.limits.config import LimitsConfig
from mlo_gateway.limits.shared import SharedLimiter, open_shared
from tests.plugins.gateway.limits.worlds import fresh, principal
from tests.services.redis import RedisServer, free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> object:
    """The Redis client runs on asyncio only."""
    return ("asyncio", {"use_uvloop": False})


@asynccontextmanager
async def _replica(server: RedisServer, **options: object) -> AsyncIterator[SharedLimiter]:
    async with open_shared(LimitsConfig(redis=Secret(server.url), **options)) as limiter:  # type: ignore[arg-type]
        yield limiter


async def _enter(limiter: SharedLimiter, caller: Principal, tokens: int = 0) -> Ticket:
    answer = limiter.enter(caller, tokens)
    return await answer if inspect.isawaitable(answer) else answer


async def _admitted(limiter: SharedLimiter, caller: Principal, tries: int, into: list[Ticket]) -> None:
    async def one() -> None:
        with suppress(GatewayError):
            into.append(await _enter(limiter, caller))

    async with anyio.create_task_group() as tasks:
        for _ in range(tries):
            tasks.start_soon(one)


async def _soon(condition: object, seconds: float = 5.0) -> None:
    with anyio.fail_after(seconds):
        while not condition():  # type: ignore[operator]
            await anyio.sleep(0.01)


async def test_replicas_share_every_limit(redis: RedisServer) -> None:
    scope = fresh()
    async with _replica(redis) as first, _replica(redis) as second:
        inside: list[Ticket] = []
        async with anyio.create_task_group() as tasks:
            for limiter in (first, second):
                caller = principal(Allowance(scope=scope, concurrency=30), Allowance(scope=fresh(), requests=25))
                tasks.start_soon(_admitted, limiter, caller, 100, inside)
        assert len(inside) == 30


async def test_the_places_of_a_killed_replica_lapse(redis: RedisServer) -> None:
    caller = principal(Allowance(scope=fresh(), concurrency=1))
    async with _replica(redis, lease=0.6) as survivor:
        async with _replica(redis, lease=0.6) as killed:
            await _enter(killed, caller)
            with pytest.raises(GatewayError):
                await _enter(survivor, caller)
            await anyio.sleep(1.0)  # longer than a lease: it is renewed while the replica lives
            with pytest.raises(GatewayError):
                await _enter(survivor, caller)
        await anyio.sleep(0.7)
        await _enter(survivor, caller)


async def test_a_caller_that_leaves_while_waiting_takes_nothing(redis: RedisServer) -> None:
    caller = principal(Allowance(scope=fresh(), requests=1, concurrency=1))
    async with _replica(redis) as limiter:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_enter, limiter, caller)
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        inside: list[Ticket] = []
        with anyio.fail_after(5):
            while not inside:  # what it took is given back only once the server has answered
                await _admitted(limiter, caller, 1, inside)


async def test_while_redis_is_away_each_counts_alone(own_redis: RedisServer) -> None:
    caller = principal(Allowance(scope=fresh(), requests=2, concurrency=5))
    async with _replica(own_redis, redis_timeout=0.3) as limiter:
        await _enter(limiter, caller)
        own_redis.stop()
        # the first one finds out, and is served all the same
        tickets = [await _enter(limiter, caller), await _enter(limiter, caller)]
        assert not limiter.state.up
        assert limiter.state.error
        with pytest.raises(GatewayError) as refusal:
            await _enter(limiter, caller)
        assert refusal.value.status == 429
        own_redis.start()
        await _soon(lambda: limiter.state.up)
        for ticket in tickets:
            ticket.leave(None)
        await _enter(limiter, caller)


async def test_a_server_that_hangs_costs_one_timeout(own_redis: RedisServer) -> None:
    import os
    import signal

    caller = principal(Allowance(scope=fresh(), requests=100))
    async with _replica(own_redis, redis_timeout=0.2) as limiter:
        await _enter(limiter, caller)
        assert own_redis._process is not None
        os.kill(own_redis._process.pid, signal.SIGSTOP)
        try:
            before = time.monotonic()
            for _ in range(20):
                await _enter(limiter, caller)
            # one of them waited; twenty timeouts would be 4 seconds
            assert time.monotonic() - before < 3
        finally:
            os.kill(own_redis._process.pid, signal.SIGCONT)
        await _soon(lambda: limiter.state.up)


async def test_requests_under_way_count_again_once_redis_is_back(own_redis: RedisServer) -> None:
    caller = principal(Allowance(scope=fresh(), concurrency=2))
    async with _replica(own_redis, lease=0.3, redis_timeout=0.3) as first, _replica(own_redis) as second:
        await _enter(first, caller)
        own_redis.stop()
        await _enter(first, caller)
        own_redis.start()  # and knows nothing any more
        await _soon(lambda: first.state.up)
        await anyio.sleep(0.3)
        with pytest.raises(GatewayError):
            await _enter(second, caller)


async def test_closed_refuses_while_redis_is_away() -> None:
    nowhere = Secret(f"redis://:hidden@127.0.0.1:{free_port()}/0")
    caller = principal(Allowance(scope=fresh(), requests=5))
    async with open_shared(LimitsConfig(redis=nowhere, redis_down="closed", redis_timeout=0.3)) as limiter:
        for _ in range(2):
            with pytest.raises(GatewayError) as refusal:
                await _enter(limiter, caller)
            assert (refusal.value.status, refusal.value.code) == (503, "limits_unavailable")
            assert refusal.value.retry_after
        assert "hidden" not in limiter.state.error
        assert "hidden" not in repr(limiter.state)
        # who has no limits needs no Redis
        await _enter(limiter, principal())


async def test_a_wrong_url_is_named_without_its_password() -> None:
    with pytest.raises(ConfigError) as wrong:
        async with open_shared(LimitsConfig(redis=Secret("http://:hidden@example.com"))):
            pass
    assert wrong.value.path == "gateway.limits.redis"
    assert "hidden" not in str(wrong.value)
    assert wrong.value.__cause__ is None


async def test_signals_reach_every_replica(redis: RedisServer) -> None:
    heard: list[tuple[str, str]] = []
    url, prefix = Secret(redis.url), fresh("test")
    async with open_signals(url, prefix) as first, open_signals(url, prefix) as second:
        first.subscribe("revoked", lambda payload: heard.append(("first", payload)))
        leave = second.subscribe("revoked", lambda payload: heard.append(("second", payload)))
        second.subscribe("other", lambda payload: heard.append(("other", payload)))
        await anyio.sleep(0.2)
        second.publish("revoked", "ключ 1")
        await _soon(lambda: len(heard) == 2)
        assert sorted(heard) == [("first", "ключ 1"), ("second", "ключ 1")]
        leave()
        leave()
        second.publish("revoked", "2")
        await _soon(lambda: len(heard) == 3)
        assert heard[-1] == ("first", "2")


async def test_signals_come_back_and_say_that_some_were_missed(own_redis: RedisServer) -> None:
    heard: list[str] = []
    missed: list[None] = []
    async with open_signals(Secret(own_redis.url)) as signals:
        signals.subscribe("revoked", heard.append, lambda: missed.append(None))
        await anyio.sleep(0.2)
        own_redis.stop()
        await anyio.sleep(0.1)
        own_redis.start()
        await _soon(lambda: bool(missed))
        signals.publish("revoked", "3")
        await _soon(lambda: heard == ["3"])
