"""Opens the limiter and the signals that the configuration asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from attrs import frozen

from mlo_gateway.limits.config import LimitsConfig
from mlo_gateway.limits.memory import LocalLimiter
from mlo_gateway.limits.rules import Rule
from mlo_gateway.limits.signals import LocalSignals, Signals

if TYPE_CHECKING:
    from mlo_gateway.limits.shared import SharedLimiter

__all__ = ["Limiting", "open_limiting"]


@frozen
class Limiting:
    """The limiter, and the way to tell other replicas."""

    limiter: LocalLimiter | SharedLimiter
    signals: Signals

    @property
    def state(self) -> str:
        """How limits are counted, for health pages."""
        if isinstance(self.limiter, LocalLimiter):
            return "in process"
        return "shared" if self.limiter.state.up else "alone: redis does not answer"


@asynccontextmanager
async def open_limiting(
    config: LimitsConfig, told: Callable[[Rule], None] = lambda _rule: None
) -> AsyncIterator[Limiting]:
    """In process, or over Redis where the configuration names a server. ``told`` hears of each rule that refuses.

    Raises:
        ConfigError: when its URL is none.
    """
    if config.redis is None:
        yield Limiting(LocalLimiter(config, told=told), LocalSignals())
        return
    from mlo_gateway.limits.broadcast import open_signals  # noqa: PLC0415 - the client is slow to load
    from mlo_gateway.limits.shared import open_shared  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        limiter = await stack.enter_async_context(open_shared(config, told=told))
        signals = await stack.enter_async_context(open_signals(config.redis, config.prefix))
        yield Limiting(limiter, signals)
