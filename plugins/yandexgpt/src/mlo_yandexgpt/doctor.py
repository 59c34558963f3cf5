"""Offline checks for ``mlo plugins doctor``."""

from __future__ import annotations

from collections.abc import Iterator

from mlo.api import DoctorContext, Finding
from mlo.errors import ConfigError, ModelNotFound

from .catalog import price_for
from .config import YandexApiKeyConfig, YandexConfig, YandexIamConfig
from .keys import parse_key, read_key_file
from .places import hosts
from .secrets import expect
from .uris import folder_fault, model_uri

__all__ = ["findings"]


def findings(context: DoctorContext) -> Iterator[Finding]:
    """What is wrong, or worth knowing, about each configured instance."""
    for instance in context.instances:
        config = instance.config
        if isinstance(config, YandexConfig):
            yield from _of_provider(instance.path, config, context.now)
        elif isinstance(config, YandexApiKeyConfig | YandexIamConfig):
            yield from _of_auth(instance.path, config, context.now)


def _of_provider(path: str, config: YandexConfig, now: float) -> Iterator[Finding]:
    fault = folder_fault(config.folder_id) if config.folder_id or "://" not in config.model else None
    if fault:
        yield Finding(level="error", message=fault, where=f"{path}.folder_id")
    try:
        model_uri(config.model, config.folder_id)
    except ModelNotFound as error:
        yield Finding(level="error", message=error.message, where=f"{path}.model")
    if price_for(config, None) is None:
        fix = "set price = { prompt = …, completion = … } to have costs counted"
        yield Finding(level="info", message=f"no price is known for {config.model}", where=f"{path}.model", fix=fix)
    yield _privacy(path, config)
    for name, url in (("base_url", hosts(config).native), ("openai_base_url", hosts(config).compat)):
        if url.startswith("http://"):
            fix = "use https://, unless this is an emulator"
            yield Finding(
                level="warning", message=f"prompts and keys go to {url} in clear text", where=f"{path}.{name}", fix=fix
            )
    yield from config.tls.findings(f"{path}.tls", now=now)


def _privacy(path: str, config: YandexConfig) -> Finding:
    if config.data_logging:
        return Finding(
            level="warning",
            message="the vendor keeps prompts and answers (x-data-logging-enabled: true)",
            where=f"{path}.data_logging",
            fix="remove it to opt out, or set residency.stores_prompts = true so that routes know",
        )
    return Finding(
        level="ok", message="the vendor is told not to keep prompts (x-data-logging-enabled: false)", where=path
    )


def _of_auth(path: str, config: YandexApiKeyConfig | YandexIamConfig, now: float) -> Iterator[Finding]:
    try:
        _check_credentials(path, config)
    except ConfigError as error:
        yield Finding(level="error", message=error.reason, where=error.path, fix=error.hint)
    if isinstance(config, YandexIamConfig):
        if config.token is not None:
            fix = "use key_file, oauth_token or metadata, which are renewed"
            message = "a fixed IAM token stops working after 12 hours at most"
            yield Finding(level="warning", message=message, where=f"{path}.token", fix=fix)
        if config.oauth_token is not None:
            fix = "set user_account = true on the provider"
            message = "tokens of a person need the folder in a header"
            yield Finding(level="info", message=message, where=f"{path}.oauth_token", fix=fix)
        yield from config.tls.findings(f"{path}.tls", now=now)


def _check_credentials(path: str, config: YandexApiKeyConfig | YandexIamConfig) -> None:
    if isinstance(config, YandexApiKeyConfig):
        expect("api-key", config.key.reveal(), f"{path}.key")
        return
    if config.token is not None:
        expect("iam-token", config.token.reveal(), f"{path}.token")
    if config.oauth_token is not None:
        expect("oauth-token", config.oauth_token.reveal(), f"{path}.oauth_token")
    if config.key is not None:
        parse_key(expect("authorized-key", config.key.reveal(), f"{path}.key"), f"{path}.key")
    if config.key_file is not None:
        read_key_file(config.key_file, f"{path}.key_file")
