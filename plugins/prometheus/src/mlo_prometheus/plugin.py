"""What ``mlo-prometheus`` offers."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from mlo.api import DoctorContext, Environment, Finding, Observer, ObserverSpec
from mlo.hookspecs import hookimpl

from .config import PrometheusConfig

__all__ = ["mlo_api", "mlo_doctor", "mlo_observers"]

mlo_api = (1, 0)


def _open(config: PrometheusConfig, environment: Environment) -> AbstractAsyncContextManager[Observer]:
    from .opening import open_prometheus  # noqa: PLC0415 - loading a plugin must not import prometheus-client

    return open_prometheus(config, environment)


@hookimpl
def mlo_observers() -> Iterable[ObserverSpec[PrometheusConfig]]:
    """The observer ``prometheus``."""
    summary = "Metrics of calls and attempts at /metrics, for Prometheus"
    yield ObserverSpec(name="prometheus", config=PrometheusConfig, summary=summary, open=_open)


@hookimpl
def mlo_doctor(context: DoctorContext) -> Iterable[Finding]:
    """Metrics that other machines can read."""
    for instance in context.instances:
        config = instance.config
        if isinstance(config, PrometheusConfig) and config.listen and not _is_loopback(config.host):
            message = f"everybody who reaches {config.host}:{config.port} can read the metrics: there is no password"
            fix = "listen on 127.0.0.1, or let a firewall or a proxy decide who may scrape"
            yield Finding(level="warning", message=message, where=f"{instance.path}.host", fix=fix)


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")
