"""From a configuration to an open provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mlo.api import Environment
from mlo.errors import ConfigError, ModelNotFound
from mlo_sdk.http import HttpClient

from .config import YandexConfig
from .errors import ERRORS
from .places import hosts
from .provider import YandexProvider
from .uris import ModelUri, folder_fault, model_uri

__all__ = ["open_yandexgpt"]


@asynccontextmanager
async def open_yandexgpt(config: YandexConfig, env: Environment) -> AsyncGenerator[YandexProvider, None]:
    """A provider for one account.

    Raises:
        ConfigError: for a folder or a model that cannot be, and what auth or TLS files raise.
    """
    uri = _checked(config, env.path)
    auth = await env.auth()
    place = hosts(config)
    headers = {"x-data-logging-enabled": "true" if config.data_logging else "false"}
    if config.user_account:
        headers["x-folder-id"] = uri.folder

    def client(base_url: str, **more: str) -> HttpClient:
        return HttpClient(
            base_url,
            path=env.path,
            auth=auth,
            headers=headers | more,
            settings=config.http,
            tls=config.tls,
            errors=ERRORS,
            request_id_headers=("x-request-id", "x-server-trace-id"),  # open-weight models send the second one only
        )

    async with (
        client(place.native) as native,
        client(place.operations) as operations,
        client(place.compat, **{"openai-project": uri.folder}) as compat,
    ):
        yield YandexProvider(config, native, operations, compat)


def _checked(config: YandexConfig, path: str) -> ModelUri:
    fault = folder_fault(config.folder_id) if config.folder_id or "://" not in config.model else None
    if fault:
        raise ConfigError(f"{path}.folder_id", fault)
    try:
        return model_uri(config.model, config.folder_id)
    except ModelNotFound as error:
        raise ConfigError(f"{path}.model", error.message) from error
