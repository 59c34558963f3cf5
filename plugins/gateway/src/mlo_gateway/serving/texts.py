"""What ``mlo serve`` says, in English and Russian."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["text"]

_TEXTS: Mapping[str, tuple[str, str]] = {
    "about": (
        (
            "Serve an OpenAI-compatible gateway with keys, limits and accounting. Everything else is set in the tables "
            "[gateway] of mlo.toml; without any provider there it is a demonstration with the provider `mock`."
        ),
        (
            "Шлюз с API OpenAI: ключи, лимиты, учёт. Остальное настраивается в таблицах [gateway] файла mlo.toml; "
            "если провайдеров в нём нет, это демонстрация с провайдером `mock`."
        ),
    ),
    "signals": (
        (
            "signals: SIGTERM lets requests under way end and stops; SIGHUP reads the configuration again; SIGUSR2 "
            "replaces the workers one by one (with --workers)"
        ),
        (
            "сигналы: SIGTERM — завершить начатые запросы и остановиться; SIGHUP — перечитать конфигурацию; SIGUSR2 — "
            "заменить рабочие процессы по одному (с --workers)"
        ),
    ),
    "host": ("address to listen on (default: 127.0.0.1)", "адрес для приёма соединений (по умолчанию 127.0.0.1)"),
    "port": (
        "port to listen on; 0 takes a free one (default: 8080)",
        "порт; 0 — любой свободный (по умолчанию 8080)",
    ),
    "workers": (
        "processes that share the port; 0 serves in this one (default: 0)",
        "число рабочих процессов на одном порту; 0 — обслуживать в этом же процессе (по умолчанию 0)",
    ),
    "auth": (
        "`off` lets everybody on this machine in without a key",
        "`off` — пускать без ключа всех на этой машине",
    ),
    "fd": (
        "listen on this inherited descriptor, a socket that listens already",
        "принимать соединения на унаследованном дескрипторе: сокет уже должен слушать",
    ),
    "options": ("options", "параметры"),
    "help": ("show this help and exit", "показать эту справку и выйти"),
    "serving": ("Gateway on {url} (Ctrl-C stops it)", "Шлюз работает на {url} (Ctrl-C — остановить)"),
    "configuration": ("configuration  {source}", "конфигурация   {source}"),
    "demo": (
        "none: a demonstration with the made-up provider `mock`",
        "нет: демонстрация с условным провайдером `mock`",
    ),
    "no file": ("none", "нет"),
    "database": ("database       {database}", "база данных    {database}"),
    "no keys": (
        "keys           off: everybody on this machine may use it",
        "ключи          выключены: доступ есть у всех на этой машине",
    ),
    "first key": (
        "first key      {key}\n               (an owner's key; it is not shown again)",
        "первый ключ    {key}\n               (ключ владельца; больше показан не будет)",
    ),
    "try": ("try it:", "проверка:"),
    "separate limits": (
        "each worker counts rate limits for itself: set gateway.limits.redis to count them together",
        "каждый рабочий процесс считает лимиты отдельно: для общего счёта задайте gateway.limits.redis",
    ),
}


def text(name: str, /, **values: object) -> str:
    """The text called ``name`` in the reader's language (``MLO_LANG`` or the locale), ``{names}`` filled in."""
    wanted = next(
        (
            os.environ[variable]
            for variable in ("MLO_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
            if os.environ.get(variable)
        ),
        "",
    )
    english, russian = _TEXTS[name]
    return (russian if wanted.lower().startswith("ru") else english).format(**values)
