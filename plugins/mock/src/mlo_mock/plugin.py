"""What ``mlo-mock`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from mlo.api import Environment, Provider, ProviderSpec
from mlo.hookspecs import hookimpl

from .config import CAPABILITIES, RESIDENCY, MockConfig

__all__ = ["mlo_api", "mlo_providers"]

mlo_api = (1, 0)


def _open(config: MockConfig, environment: Environment) -> AbstractAsyncContextManager[Provider]:
    from .provider import open_mock  # noqa: PLC0415 - loading a plugin must not import its machinery

    return open_mock(config, environment)


@hookimpl
def mlo_providers() -> Iterable[ProviderSpec[MockConfig]]:
    """The provider ``mock``."""
    yield ProviderSpec(
        name="mock",
        config=MockConfig,
        summary="Answers without a network: echoes, scripts, delays and faults to order",
        open=_open,
        capabilities=CAPABILITIES,
        residency=RESIDENCY,
    )
