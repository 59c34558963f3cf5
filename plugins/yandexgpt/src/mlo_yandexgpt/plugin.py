"""What this distribution offers. Loading it loads no HTTP and no cryptography."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from mlo.api import AuthSpec, DoctorContext, Environment, Finding, ProviderSpec
from mlo.hookspecs import hookimpl
from mlo.models import Capability, Residency

from .catalog import generations_at_once, price_for
from .config import YandexApiKeyConfig, YandexConfig, YandexIamConfig

mlo_api = (1, 0)
_ABILITIES = frozenset(Capability) - {Capability.FILES}  # images: some of the open-weight models


def _provider(config: YandexConfig, env: Environment) -> AbstractAsyncContextManager[Any]:
    from .opening import open_yandexgpt  # noqa: PLC0415

    return open_yandexgpt(config, env)


def _api_key(config: YandexApiKeyConfig, env: Environment) -> AbstractAsyncContextManager[Any]:
    from .auth import open_api_key  # noqa: PLC0415

    return open_api_key(config, env)


def _iam(config: YandexIamConfig, env: Environment) -> AbstractAsyncContextManager[Any]:
    from .auth import open_iam  # noqa: PLC0415

    return open_iam(config, env)


def _residency(config: YandexConfig) -> Residency:
    return Residency(region="RU", on_prem=False, stores_prompts=config.data_logging)


@hookimpl
def mlo_providers() -> Iterable[ProviderSpec[Any]]:
    """The provider ``yandexgpt``."""
    summary = "YandexGPT and the open-weight models of Yandex Cloud"
    yield ProviderSpec(
        name="yandexgpt", config=YandexConfig, summary=summary, open=_provider,
        capabilities=_ABILITIES, residency=_residency, price=price_for, concurrency=generations_at_once,
    )  # fmt: skip


@hookimpl
def mlo_auth_schemes() -> Iterable[AuthSpec[Any]]:
    """The schemes ``yandex-api-key`` and ``yandex-iam``."""
    yield AuthSpec(name="yandex-api-key", config=YandexApiKeyConfig, summary="a Yandex Cloud API key", open=_api_key)
    yield AuthSpec(name="yandex-iam", config=YandexIamConfig, summary="Yandex Cloud IAM tokens, kept fresh", open=_iam)


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Folder, credentials, key file, privacy, TLS; no network."""
    from .doctor import findings  # noqa: PLC0415

    return findings(context)
