"""Opening the provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mlo.api import Environment, Provider
from mlo.errors import ConfigError
from mlo_sdk.http import HttpClient
from mlo_sdk.openai_compat import OpenAICompatProvider

from .config import OpenAICompatConfig
from .presets import base_url_of, dialect_of

__all__ = ["open_provider"]


@asynccontextmanager
async def open_provider(config: OpenAICompatConfig, environment: Environment) -> AsyncGenerator[Provider, None]:
    """A provider with its connection pool, closed on leaving.

    Raises:
        ConfigError: without a base URL, or for options that cannot be used.
    """
    base_url = base_url_of(config)
    if base_url is None:
        raise ConfigError(f"{environment.path}.base_url", "is missing", hint="give one, or choose a preset")
    dialect = dialect_of(config)
    client = HttpClient(
        base_url,
        path=environment.path,
        auth=await environment.auth("none"),
        headers=dialect.headers,
        settings=config.http,
        tls=config.tls,
        errors=dialect.errors,
        request_id_headers=dialect.request_id_headers,
    )
    async with client:
        yield OpenAICompatProvider(
            client,
            model=config.model,
            embedding_model=config.embedding_model,
            dialect=dialect,
            name=environment.instance,
        )
