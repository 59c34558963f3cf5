"""Is a configuration usable? Pure: needed when an instance opens, and by ``mlo plugins doctor``."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mlo.errors import ConfigError

from .config import CloudConfig, OllamaConfig
from .names import is_cloud
from .options import complaint

__all__ = ["check", "is_hosted"]

_DURATION = re.compile(r"[+-]?(0|((\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")  # as Go's time.ParseDuration


def check(config: OllamaConfig, path: str) -> None:
    """Refuse a configuration that cannot work. ``path`` is where it stands.

    Raises:
        ConfigError: for options that the server would refuse or ignore, and for a local instance that is not local.
    """
    _check_options(config, path)
    _check_numbers(config, path)
    _check_times(config, path)
    if not isinstance(config, CloudConfig):
        _check_locality(config, path)


def is_hosted(url: str) -> bool:
    """Whether this is the address of the hosted service."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return f".{host}".endswith(".ollama.com")


def _check_options(config: OllamaConfig, path: str) -> None:
    tables = {"options": config.options}
    tables |= {f'models."{name}".options': settings.options for name, settings in config.models.items()}
    for where, options in tables.items():
        if wrong := complaint(options, strict=config.strict_options):
            raise ConfigError(f"{path}.{where}", wrong)


def _check_numbers(config: OllamaConfig, path: str) -> None:
    windows = {"num_ctx": config.num_ctx}
    windows |= {f'models."{name}".num_ctx': settings.num_ctx for name, settings in config.models.items()}
    for where, num_ctx in windows.items():
        if num_ctx is not None and num_ctx < 1:
            raise ConfigError(f"{path}.{where}", "must be at least 1")
    if config.parallel is not None and config.parallel < 1:
        raise ConfigError(f"{path}.parallel", "must be at least 1", hint="leave it out for no limit on this side")


def _check_times(config: OllamaConfig, path: str) -> None:
    times = {"keep_alive": config.keep_alive}
    times |= {f'models."{name}".keep_alive': settings.keep_alive for name, settings in config.models.items()}
    for where, time in times.items():
        if isinstance(time, str) and not _DURATION.fullmatch(time):
            hint = 'write seconds as a number (300, -1), or a text with units ("10m", "1h30m")'
            raise ConfigError(f"{path}.{where}", f"{time!r} is not a duration", hint=hint)


def _check_locality(config: OllamaConfig, path: str) -> None:
    hint = 'the plugin `ollama` promises that prompts stay on your machines; use = "ollama-cloud" makes no such promise'
    if is_hosted(config.base_url):
        raise ConfigError(f"{path}.base_url", "is the hosted service", hint=hint)
    for where, name in (("model", config.model), ("embedding_model", config.embedding_model)):
        if name is not None and is_cloud(name):
            raise ConfigError(f"{path}.{where}", f"{name!r} runs on the hosted service", hint=hint)
