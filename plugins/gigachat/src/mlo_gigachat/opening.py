"""Opens components with modules that are imported only then: loading the plugin must not load its wire."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from mlo.api import AuthScheme, Environment, Provider

from .config import GigaChatConfig, OAuthConfig, PasswordConfig

__all__ = ["oauth", "password", "provider"]


def provider(config: GigaChatConfig, env: Environment) -> AbstractAsyncContextManager[Provider]:
    """The provider."""
    from .provider import open_gigachat  # noqa: PLC0415

    return open_gigachat(config, env)


def oauth(config: OAuthConfig, env: Environment) -> AbstractAsyncContextManager[AuthScheme]:
    """The scheme ``gigachat-oauth``."""
    from .auth import open_oauth  # noqa: PLC0415

    return open_oauth(config, env)


def password(config: PasswordConfig, env: Environment) -> AbstractAsyncContextManager[AuthScheme]:
    """The scheme ``gigachat-password``."""
    from .auth import open_password  # noqa: PLC0415

    return open_password(config, env)
