"""What this distribution offers to the kernel: the providers ``ollama`` and ``ollama-cloud``."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

from mlo.api import DoctorContext, Environment, Finding, Provider, ProviderSpec
from mlo.hookspecs import hookimpl
from mlo.models import Capability, Price

from .config import CloudConfig, OllamaConfig
from .inventory import FREE, HOSTED, LOCAL

_CAPABILITIES = frozenset(set(Capability) - {Capability.FILES})


def _open(config: OllamaConfig, environment: Environment) -> AbstractAsyncContextManager[Provider]:
    from .provider import open_provider  # noqa: PLC0415 - brings httpx, which listing plugins must not load

    return open_provider(config, environment)


def _free(_config: OllamaConfig, _model: str | None) -> Price | None:
    return FREE


@hookimpl
def mlo_providers() -> Iterable[ProviderSpec[Any]]:
    """The providers."""
    yield ProviderSpec(
        name="ollama",
        config=OllamaConfig,
        summary="Ollama on your own machines",
        open=_open,
        capabilities=_CAPABILITIES,
        residency=LOCAL,
        price=_free,
        concurrency=lambda config: config.parallel,
    )
    yield ProviderSpec(
        name="ollama-cloud",
        config=CloudConfig,
        summary="The hosted Ollama service",
        open=_open,
        capabilities=_CAPABILITIES,
        residency=HOSTED,
        concurrency=lambda config: config.parallel,
    )


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Offline checks of the configured instances."""
    from .doctor import findings  # noqa: PLC0415 - rarely needed

    return findings(context)
