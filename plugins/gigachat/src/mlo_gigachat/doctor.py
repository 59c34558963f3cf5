"""Offline checks of configured instances: keys that cannot work, TLS, and what leaves the machine."""

from __future__ import annotations

from collections.abc import Iterator

from mlo.api import ConfiguredInstance, DoctorContext, Finding
from mlo.errors import ConfigError
from mlo_sdk.tls import TlsConfig

from .config import GigaChatConfig, OAuthConfig, PasswordConfig
from .facts import price_of, price_source
from .keys import normalised
from .trust import effective_tls

__all__ = ["findings"]

_OFFICIAL = ("giga.chat", "sberbank.ru", "sberdevices.ru")


def findings(context: DoctorContext) -> Iterator[Finding]:
    """What to tell about the instances of this plugin."""
    for instance in context.instances:
        config = instance.config
        if isinstance(config, GigaChatConfig):
            yield from _tls(instance, config.tls, config.base_url, context.now, verify_ssl=config.verify_ssl)
            yield from _provider(instance, config)
        elif isinstance(config, OAuthConfig):
            yield from _tls(instance, config.tls, config.auth_url, context.now, verify_ssl=config.verify_ssl)
            yield from _key(instance, config)
        elif isinstance(config, PasswordConfig):
            yield from _tls(instance, config.tls, config.base_url, context.now, verify_ssl=config.verify_ssl)


def _tls(instance: ConfiguredInstance, tls: TlsConfig, url: str, now: float, *, verify_ssl: bool) -> Iterator[Finding]:
    if not url.startswith("https://") and not _is_local(url):
        yield Finding(
            level="warning",
            message="the connection is not encrypted: keys, tokens and prompts can be read on the way",
            where=instance.path,
            fix="use an https:// URL",
        )
    if not url.startswith("https://"):
        return
    if not verify_ssl:
        yield Finding(
            level="warning",
            message="TLS verification is switched off: anybody on the way can read the key and the prompts",
            where=f"{instance.path}.verify_ssl",
            fix="remove it, and name Russian Trusted Root CA under tls.ca_file",
        )
    yield from effective_tls(tls, verify_ssl=True).findings(f"{instance.path}.tls", now=now or None)
    if tls.ca_file is None and verify_ssl and any(host in url for host in _OFFICIAL):
        yield Finding(
            level="info",
            message="the certificates of GigaChat end in Russian Trusted Root CA, which few systems trust",
            where=f"{instance.path}.tls.ca_file",
            fix="get it from gosuslugi.ru/crt and name the PEM file here, unless your system has it already",
        )


def _is_local(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0]
    return host.startswith(("127.0.0.1", "localhost", "[::1]"))


def _key(instance: ConfiguredInstance, config: OAuthConfig) -> Iterator[Finding]:
    where = f"{instance.path}.key"
    try:
        clean = normalised(config.key, where)
    except ConfigError as error:
        yield Finding(level="error", message=error.reason, where=where, fix=error.hint)
        return
    if clean != config.key.reveal().strip():
        yield Finding(
            level="info",
            message="the key has line breaks or a 'Basic' in it; that is tolerated here, but not everywhere",
            where=where,
            fix="store it on one line, without a prefix",
        )
    yield Finding(level="ok", message="the authorization key is well-formed", where=where)


def _provider(instance: ConfiguredInstance, config: GigaChatConfig) -> Iterator[Finding]:
    yield Finding(
        level="info",
        message="prompts, files and tool results are sent to Sber (Russia)",
        where=instance.path,
        fix="route what must stay on your own machines to a local model",
    )
    if price_of(config.model) is None:
        _, checked_on = price_source()
        yield Finding(
            level="info",
            message=f"no price of {config.model} is known (prices of {checked_on}): its cost is unknown, not zero",
            where=f"{instance.path}.model",
            fix=f"give one under {instance.path}.price",
        )
    if config.keep_uploads:
        yield Finding(
            level="info",
            message="pictures of requests stay in GigaChat's file store",
            where=f"{instance.path}.keep_uploads",
            fix="leave it out to have them deleted on closing",
        )
