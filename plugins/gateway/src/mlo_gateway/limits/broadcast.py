"""Signals over Redis: published to all replicas, this one included."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from attrs import frozen
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from mlo.secret import Secret

from .background import beside
from .link import client_of
from .signals import Unsubscribe

__all__ = ["RedisSignals", "open_signals"]

_RETRY_EVERY = 0.5
_UNSENT = 1000
_CONNECT_TIMEOUT = 2.0
_PULSE = 1.0  # seconds; how long a silent connection is trusted before it is asked for a sign of life
_LOG = logging.getLogger("mlo.gateway")


@frozen(eq=False)
class _Subscriber:
    heard: Callable[[str], None]
    missed: Callable[[], None]


class RedisSignals:
    """Sends and hears over one server. Messages that come while it is away are lost, and subscribers told so."""

    def __init__(self, listener: Redis, sender: Redis, prefix: str) -> None:
        self._listener, self._sender, self._prefix = listener, sender, prefix
        self._subscribers: dict[str, list[_Subscriber]] = {}
        self._unsent: list[tuple[str, str]] = []
        self._wake = anyio.Event()

    def publish(self, topic: str, payload: str, /) -> None:
        """Send a message, soon."""
        if len(self._unsent) < _UNSENT:
            self._unsent.append((topic, payload))
            self._wake.set()

    def subscribe(
        self, topic: str, heard: Callable[[str], None], missed: Callable[[], None] = lambda: None, /
    ) -> Unsubscribe:
        """Hear messages from here on."""
        subscriber = _Subscriber(heard, missed)
        subscribers = self._subscribers.setdefault(topic, [])
        subscribers.append(subscriber)

        def leave() -> None:
            if subscriber in subscribers:
                subscribers.remove(subscriber)

        return leave

    async def send(self) -> None:
        """Send what is published, for ever; one task does."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            while self._unsent:
                topic, payload = self._unsent[0]
                try:
                    await self._sender.publish(self._prefix + topic, payload)
                except (RedisError, OSError):
                    await anyio.sleep(_RETRY_EVERY)
                else:
                    del self._unsent[0]

    async def listen(self) -> None:
        """Hear what is published, for ever; one task does."""
        was_down = False
        while True:
            try:
                async with self._listener.pubsub() as channel:
                    await channel.psubscribe(self._prefix + "*")
                    if was_down:
                        self._tell_missed()
                    was_down = False
                    await self._listen_to(channel)
            except (RedisError, OSError) as error:
                if not was_down:
                    _LOG.warning("signals between replicas are interrupted: %s", error)
                was_down = True
                await anyio.sleep(_RETRY_EVERY)

    async def _listen_to(self, channel: PubSub) -> None:
        silent = 0
        while True:
            message = await channel.get_message(timeout=_PULSE)
            if message is not None:
                silent = 0
                if message["type"] == "pmessage":
                    self._hear(message["channel"], message["data"])
            elif silent == 0:
                silent = 1
                await channel.ping()
            else:
                raise ConnectionError("the server does not answer")

    def _hear(self, channel: str, payload: str) -> None:
        for subscriber in tuple(self._subscribers.get(channel.removeprefix(self._prefix), ())):
            subscriber.heard(payload)

    def _tell_missed(self) -> None:
        for subscribers in tuple(self._subscribers.values()):
            for subscriber in tuple(subscribers):
                subscriber.missed()


@asynccontextmanager
async def open_signals(
    url: Secret, prefix: str = "mlo", *, path: str = "gateway.limits.redis"
) -> AsyncIterator[RedisSignals]:
    """Signals over a server, while the block runs. One that is not there yet is no error.

    Raises:
        ConfigError: when the URL is none.
    """
    listener = client_of(url, timeout=None, connect_timeout=_CONNECT_TIMEOUT, path=path)
    sender = client_of(url, timeout=_CONNECT_TIMEOUT, connect_timeout=_CONNECT_TIMEOUT, path=path)
    signals = RedisSignals(listener, sender, f"{prefix}:signals:")
    try:
        async with beside(signals.send, signals.listen):
            yield signals
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            await listener.aclose()
            await sender.aclose()
