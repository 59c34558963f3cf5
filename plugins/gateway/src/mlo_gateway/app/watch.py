"""Who watches over all exchanges: clients that leave, that do not send, that do not read, calls that take too long.

An exchange that is over within a tenth of a second costs nothing but its place in a set. Only older ones get a task
that listens for their client.
"""

from __future__ import annotations

from time import monotonic

import anyio
from anyio.abc import TaskGroup, TaskStatus

from mlo_gateway.config import DataConfig

from .exchange import End, Exchange

__all__ = ["Watch"]

_TICK = 0.1


class Watch:
    """The exchanges under way, and a task that looks at them ten times a second."""

    def __init__(self, config: DataConfig) -> None:
        self.config = config
        self._under_way: set[Exchange] = set()
        self._tasks: TaskGroup | None = None

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def streams(self) -> int:
        """How many answers are being sent in pieces."""
        return sum(exchange.streaming for exchange in self._under_way)

    def add(self, exchange: Exchange) -> None:
        """Watch over ``exchange``.

        Raises:
            RuntimeError: when nobody runs :meth:`run`.
        """
        if self._tasks is None:
            raise RuntimeError("the data plane is not running: run the application's lifespan, or its `run()`")
        self._under_way.add(exchange)

    def remove(self, exchange: Exchange) -> None:
        """It is over."""
        self._under_way.discard(exchange)

    def end_all(self, why: End, reason: str, *, only_streams: bool = False) -> int:
        """End all, or all streams, and say how many there were."""
        chosen = [exchange for exchange in self._under_way if exchange.streaming or not only_streams]
        for exchange in chosen:
            exchange.end(why, reason)
        return len(chosen)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Watch until cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            task_status.started()
            try:
                while True:
                    await anyio.sleep(_TICK)
                    self._look(tasks)
            finally:
                self._tasks = None

    def _look(self, tasks: TaskGroup) -> None:
        now = monotonic()
        for exchange in self._under_way:
            since = exchange.waits_since
            if since is not None and now - since > _TICK:
                self._hurry(exchange, now - since)
            if now - exchange.began > self.config.deadline:
                exchange.end("overdue")
            if not exchange.listening and not exchange.reading and now - exchange.began > _TICK:
                exchange.listening = True
                tasks.start_soon(_listen, exchange)

    def _hurry(self, exchange: Exchange, waited: float) -> None:
        if exchange.reading and waited > self.config.body_timeout:
            exchange.end("slow-body")
        elif not exchange.reading and waited > self.config.send_timeout:
            exchange.end("slow-reader")


async def _listen(exchange: Exchange) -> None:
    await exchange.left()
    exchange.end("left")
