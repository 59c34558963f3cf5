from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.redis import RedisServer, redis_server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that the test may stop."""
    with redis_server() as server:
        yield server
