"""Opening the observer, with its endpoint or without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from mlo.api import Environment
from mlo.errors import ConfigError

from .config import PrometheusConfig
from .observer import PrometheusObserver
from .server import MetricsServer, why_not

__all__ = ["open_prometheus"]


@asynccontextmanager
async def open_prometheus(config: PrometheusConfig, environment: Environment) -> AsyncIterator[PrometheusObserver]:
    """Start listening, if the configuration says so.

    Raises:
        ConfigError: when the address cannot be had.
    """
    observer = PrometheusObserver(config)
    if not config.listen:
        yield observer
        return
    try:
        server = await anyio.to_thread.run_sync(MetricsServer, config.host, config.port, observer.exposition)
    except OSError as error:
        option, reason, hint = why_not(error, config.host, config.port)
        raise ConfigError(f"{environment.path}.{option}", reason, hint=hint) from error
    observer.url = server.url
    try:
        yield observer
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(server.close)
