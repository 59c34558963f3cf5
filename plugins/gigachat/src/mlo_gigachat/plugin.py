"""What ``mlo-gigachat`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlo.api import AuthSpec, DoctorContext, Finding, ProviderSpec
from mlo.hookspecs import hookimpl
from mlo.models import Capability

from . import opening
from .config import GigaChatConfig, OAuthConfig, PasswordConfig
from .facts import CHAT_ABILITIES, RESIDENCY, price_of

__all__ = ["mlo_api", "mlo_auth_schemes", "mlo_doctor", "mlo_providers"]

mlo_api = (1, 0)


@hookimpl
def mlo_providers() -> Iterable[ProviderSpec[GigaChatConfig]]:
    """The provider ``gigachat``. Ten calls at a time, as companies have them, unless the credential knows better."""
    yield ProviderSpec(
        name="gigachat",
        config=GigaChatConfig,
        summary="GigaChat by Sber: chat, tools, JSON schemas, vision, files, embeddings",
        open=opening.provider,
        capabilities=CHAT_ABILITIES | {Capability.VISION, Capability.EMBEDDINGS},
        residency=RESIDENCY,
        price=lambda config, model: price_of(model or config.model),
        concurrency=lambda _config: 10,
    )


@hookimpl
def mlo_auth_schemes() -> Iterable[AuthSpec[Any]]:
    """The schemes ``gigachat-oauth`` (individuals have one call at a time) and ``gigachat-password``."""
    yield AuthSpec(
        name="gigachat-oauth",
        config=OAuthConfig,
        summary="an authorization key, exchanged for tokens of 30 minutes",
        open=opening.oauth,
        concurrency=lambda config: 1 if config.scope == "GIGACHAT_API_PERS" else 10,
    )
    yield AuthSpec(name="gigachat-password", config=PasswordConfig, summary="user and password", open=opening.password)


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Offline checks: key, TLS, privacy."""
    from .doctor import findings  # noqa: PLC0415 - reads files and knows TLS; only the doctor needs it

    return findings(context)
