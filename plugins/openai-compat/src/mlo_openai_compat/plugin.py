"""What ``mlo-openai-compat`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from mlo.api import DoctorContext, Environment, Finding, Provider, ProviderSpec
from mlo.hookspecs import hookimpl
from mlo.models import Capability

from .config import OpenAICompatConfig

__all__ = ["mlo_api", "mlo_doctor", "mlo_providers"]

mlo_api = (1, 0)


def _open(config: OpenAICompatConfig, environment: Environment) -> AbstractAsyncContextManager[Provider]:
    from .provider import open_provider  # noqa: PLC0415 - loading a plugin must not import HTTP

    return open_provider(config, environment)


@hookimpl
def mlo_providers() -> Iterable[ProviderSpec[OpenAICompatConfig]]:
    """The provider ``openai-compat``.

    It claims what most servers of this kind can do. What the preset at hand has no word for is refused as
    ``Unsupported``, and then another target is tried; what a model cannot do, the instance must say (``capabilities``).
    """
    yield ProviderSpec(
        name="openai-compat",
        config=OpenAICompatConfig,
        summary="Any server that speaks the OpenAI chat protocol: vLLM, llama.cpp, LM Studio, DeepSeek, OpenRouter …",
        open=_open,
        capabilities=frozenset(Capability) - {Capability.FILES},
    )


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Offline checks of every configured instance."""
    from .checks import findings  # noqa: PLC0415

    return findings(context)
