"""The auth schemes that come with the SDK. Importing this module loads no HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from mlo.api import AuthScheme, AuthSpec, Environment
from mlo.hookspecs import hookimpl

from .config import ApiKeyConfig, BasicConfig, BearerConfig, NoAuthConfig, OAuth2Config

__all__ = ["mlo_auth_schemes"]


@asynccontextmanager
async def _none(_config: NoAuthConfig, _env: Environment) -> AsyncGenerator[AuthScheme, None]:
    from .static import StaticAuth  # noqa: PLC0415

    yield StaticAuth({})


@asynccontextmanager
async def _bearer(config: BearerConfig, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    from .static import StaticAuth, header_text  # noqa: PLC0415

    yield StaticAuth({"authorization": f"Bearer {header_text(config.token, f'{env.path}.token')}"})


@asynccontextmanager
async def _api_key(config: ApiKeyConfig, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    from .static import StaticAuth, header_text  # noqa: PLC0415

    key = header_text(config.key, f"{env.path}.key")
    yield StaticAuth({config.header.lower(): f"{config.prefix} {key}" if config.prefix else key})


@asynccontextmanager
async def _basic(config: BasicConfig, _env: Environment) -> AsyncGenerator[AuthScheme, None]:
    from .static import StaticAuth, basic_header  # noqa: PLC0415

    yield StaticAuth({"authorization": basic_header(config.username, config.password.reveal())})


@asynccontextmanager
async def _oauth2(config: OAuth2Config, env: Environment) -> AsyncGenerator[AuthScheme, None]:
    from .oauth2 import open_oauth2  # noqa: PLC0415

    async with open_oauth2(config, env) as scheme:
        yield scheme


@hookimpl
def mlo_auth_schemes() -> Iterable[AuthSpec[Any]]:
    """The schemes ``none``, ``bearer``, ``api-key``, ``basic`` and ``oauth2-client-credentials``."""
    return (
        AuthSpec(name="none", config=NoAuthConfig, summary="no credentials", open=_none),
        AuthSpec(name="bearer", config=BearerConfig, summary="Authorization: Bearer TOKEN", open=_bearer),
        AuthSpec(name="api-key", config=ApiKeyConfig, summary="a key in a header", open=_api_key),
        AuthSpec(name="basic", config=BasicConfig, summary="HTTP Basic", open=_basic),
        AuthSpec(
            name="oauth2-client-credentials",
            config=OAuth2Config,
            summary="bearer tokens of an OAuth 2 server, renewed in time",
            open=_oauth2,
        ),
    )
