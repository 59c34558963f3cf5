"""Offline checks for ``mlo plugins doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from mlo.api import DoctorContext, Finding

from .config import OpenAICompatConfig
from .presets import base_url_of

__all__ = ["findings"]

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def findings(context: DoctorContext) -> Iterator[Finding]:
    """What is missing or unsafe in the configured instances."""
    for instance in context.instances:
        if isinstance(instance.config, OpenAICompatConfig):
            yield from _of_instance(instance.config, instance.path, context.now)


def _of_instance(config: OpenAICompatConfig, path: str, now: float) -> Iterator[Finding]:
    url = urlsplit(base_url_of(config) or "")
    if not url.scheme:
        yield Finding(
            level="error", message="no base_url", where=f"{path}.base_url", fix="give one, or choose a preset"
        )
    elif url.scheme == "http" and url.hostname not in _LOCAL:
        yield Finding(
            level="warning",
            message=f"prompts and keys go to {url.hostname} unencrypted",
            where=f"{path}.base_url",
            fix="use https:// unless the network between is yours",
        )
    if config.model is None:
        yield Finding(
            level="info",
            message="no model: every request or target must name one",
            where=f"{path}.model",
            fix="set model",
        )
    yield from config.tls.findings(f"{path}.tls", now=now)
