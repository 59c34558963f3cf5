"""What ``mlo-otel`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from mlo.api import DoctorContext, Environment, Finding, Observer, ObserverSpec
from mlo.hookspecs import hookimpl

from .config import OtelConfig

__all__ = ["mlo_api", "mlo_doctor", "mlo_observers"]

mlo_api = (1, 0)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _open(config: OtelConfig, environment: Environment) -> AbstractAsyncContextManager[Observer]:
    from .observer import open_otel  # noqa: PLC0415 - loading a plugin must not import OpenTelemetry

    return open_otel(config, environment)


@hookimpl
def mlo_observers() -> Iterable[ObserverSpec[OtelConfig]]:
    """The observer ``otel``."""
    yield ObserverSpec(
        name="otel", config=OtelConfig, summary="OpenTelemetry traces, metrics and events over OTLP/HTTP", open=_open
    )


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Certificates that are not there, and secrets that would cross a network in the clear."""
    for instance in context.instances:
        config = instance.config
        if not isinstance(config, OtelConfig):
            continue
        if config.certificate is not None and not Path(config.certificate).is_file():
            yield Finding(
                level="error",
                message=f"the file {config.certificate!r} does not exist",
                where=f"{instance.path}.certificate",
                fix="name a file of CA certificates",
            )
        url = urlsplit(config.endpoint or "")
        if config.headers and url.scheme == "http" and url.hostname not in _LOOPBACK:
            yield Finding(
                level="warning",
                message="headers would go over the network unencrypted",
                where=f"{instance.path}.endpoint",
                fix="use an https:// address",
            )
