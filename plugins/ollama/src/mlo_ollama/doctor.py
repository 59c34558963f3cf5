"""Offline checks for ``mlo plugins doctor``."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from mlo.api import DoctorContext, Finding
from mlo.errors import ConfigError

from .checks import check
from .config import CloudConfig, OllamaConfig

__all__ = ["findings"]


def findings(context: DoctorContext) -> Iterator[Finding]:
    """What is wrong, or worth knowing, about each configured instance."""
    for instance in context.instances:
        if isinstance(instance.config, OllamaConfig):
            yield from _of_instance(instance.path, instance.config, context.now)


def _of_instance(path: str, config: OllamaConfig, now: float) -> Iterator[Finding]:
    try:
        check(config, path)
    except ConfigError as error:
        yield Finding(level="error", message=error.reason, where=error.path, fix=error.hint)
    url = urlsplit(config.base_url)
    if url.scheme == "https":
        yield from config.tls.findings(f"{path}.tls", now=now)
    elif not _is_near(url.hostname or ""):
        yield Finding(
            level="warning",
            message=f"prompts travel to {url.hostname} in clear text",
            where=f"{path}.base_url",
            fix="put TLS in front of the server (https://), or use a tunnel",
        )
    if isinstance(config, CloudConfig):
        yield Finding(level="info", message="prompts are processed by the hosted Ollama service", where=path)
    else:
        yield Finding(level="ok", message="prompts stay on your own machines", where=path)
    if config.num_ctx is None and not isinstance(config, CloudConfig):
        yield Finding(
            level="warning",
            message="the context window is left to the server, which takes 4096 tokens on most machines",
            where=f"{path}.num_ctx",
            fix="set num_ctx, so that long prompts are not cut",
        )


def _is_near(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host  # a name in one's own network, such as a container's
    return address.is_private or address.is_loopback
