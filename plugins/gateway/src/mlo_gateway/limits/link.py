"""The way to the Redis server: requests of one moment travel together, and an outage costs each of them nothing."""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, TypeAlias

import anyio
import orjson
from attrs import define, frozen
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from mlo.errors import ConfigError
from mlo.secret import Secret

from .background import beside

__all__ = ["Link", "LinkState", "Request", "Unreachable", "client_of", "open_link"]

Request: TypeAlias = list[Any]
"""A request of limits.lua."""

_SCRIPT = files(__package__).joinpath("limits.lua").read_text("utf-8")
_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_BATCH = 256
_UNSENT = 10_000
_RETRY_EVERY = 0.5
_LOG = logging.getLogger("mlo.gateway")


class Unreachable(Exception):
    """The server did not answer in time. Whether it did what it was asked is not known."""


@frozen(kw_only=True)
class LinkState:
    """Whether the server answers. ``since`` is Unix time, ``error`` the reason why it does not."""

    up: bool
    since: float
    error: str = ""


@define(eq=False)
class _Asked:
    request: Request
    answered: anyio.Event | None = None
    answer: str | None = None
    unclaimed: Callable[[str], None] | None = None


def client_of(url: Secret, *, timeout: float | None, connect_timeout: float, path: str) -> Redis:
    """A client that tries once and says so.

    Raises:
        ConfigError: when the URL is none.
    """
    try:
        client: Redis = Redis.from_url(
            url.reveal(),
            socket_timeout=timeout,
            socket_connect_timeout=connect_timeout,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
    except ValueError:
        # the reason may show the URL, and that may hold a password
        reason, hint = "this is no URL of a Redis server", "such as redis://127.0.0.1:6379/0, rediss://… or unix://…"
        raise ConfigError(path, reason, hint=hint) from None
    return client


class Link:
    """Sends requests to limits.lua in batches, one at a time."""

    def __init__(self, client: Redis, root: str, clock: Callable[[], int] | None = None) -> None:
        self._client, self._root, self._clock = client, root, clock
        self._waiting: deque[_Asked] = deque()
        self._wake = anyio.Event()
        self._state = LinkState(up=True, since=time.time())

    @property
    def state(self) -> LinkState:
        """Whether the server answers."""
        return self._state

    def tell(self, request: Request) -> None:
        """Send a request whose answer nobody needs. It is dropped while the server is away."""
        if self._state.up and len(self._waiting) < _UNSENT:
            self._put(_Asked(request))

    async def ask(self, request: Request, unclaimed: Callable[[str], None]) -> str:
        """Send a request and wait for its answer. If the caller is cancelled, ``unclaimed`` gets it.

        Raises:
            Unreachable: when none comes in time.
        """
        if not self._state.up or len(self._waiting) >= _UNSENT:
            raise Unreachable(self._state.error)
        asked = _Asked(request, anyio.Event())
        self._put(asked)
        assert asked.answered is not None  # noqa: S101 - for the type checker
        try:
            await asked.answered.wait()
        except BaseException:
            if asked.answer is None:
                asked.unclaimed = unclaimed
            else:
                unclaimed(asked.answer)
            raise
        if asked.answer is None:
            raise Unreachable(self._state.error)
        return asked.answer

    async def run(self) -> None:
        """Send what is put in, for ever; one task does."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
                try:
                    answers = await self._send([asked.request for asked in batch])
                except (RedisError, OSError) as error:
                    self._down(error, batch)
                    await self._until_back()
                else:
                    _deliver(batch, answers)

    def _put(self, asked: _Asked) -> None:
        self._waiting.append(asked)
        self._wake.set()

    async def _send(self, requests: list[Request]) -> list[str]:
        now = "" if self._clock is None else str(self._clock())
        arguments = (1, self._root, orjson.dumps(requests), now)
        try:
            answer = await self._client.evalsha(_SHA, *arguments)
        except NoScriptError:
            answer = await self._client.eval(_SCRIPT, *arguments)
        return str(answer).split("\n")

    def _down(self, error: Exception, batch: list[_Asked]) -> None:
        reason = str(error) or type(error).__name__
        _LOG.warning("the Redis server of the limits does not answer: %s", reason)
        self._state = LinkState(up=False, since=time.time(), error=reason)
        failed = [*batch, *self._waiting]
        self._waiting.clear()
        for asked in failed:
            if asked.answered is not None:
                asked.answered.set()

    async def _until_back(self) -> None:
        while True:
            await anyio.sleep(_RETRY_EVERY)
            try:
                await self._client.ping()
            except (RedisError, OSError):
                continue
            break
        _LOG.warning("the Redis server of the limits answers again")
        self._state = LinkState(up=True, since=time.time())


def _deliver(batch: list[_Asked], answers: list[str]) -> None:
    for asked, answer in zip(batch, answers, strict=True):
        asked.answer = answer
        if asked.unclaimed is not None:
            asked.unclaimed(answer)
        elif asked.answered is not None:
            asked.answered.set()


@asynccontextmanager
async def open_link(
    url: Secret,
    root: str,
    *,
    patience: float,
    path: str = "gateway.limits.redis",
    clock: Callable[[], int] | None = None,
) -> AsyncIterator[Link]:
    """A link that runs while the block does.

    An answer is waited for ``patience`` seconds; ``clock`` replaces the server's, in microseconds. A server that is
    not there yet is no error: the link is down until it comes.

    Raises:
        ConfigError: when the URL is none.
    """
    client = client_of(url, timeout=patience, connect_timeout=patience, path=path)
    link = Link(client, root, clock)
    try:
        async with beside(link.run):
            yield link
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await client.aclose()
