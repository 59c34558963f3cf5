"""What ``mlo ollama`` says, in English and Russian."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["text"]

_TEXTS: Mapping[str, tuple[str, str]] = {
    "about": ("Look after the models of an Ollama server.", "Модели сервера Ollama: список, загрузка, память."),
    "url": (
        "address of the server (default: the instance's, then $OLLAMA_HOST, then http://127.0.0.1:11434)",
        "адрес сервера (по умолчанию: из экземпляра, затем $OLLAMA_HOST, затем http://127.0.0.1:11434)",
    ),
    "instance": (
        "provider instance of mlo.toml (default: the first one of this plugin)",
        "экземпляр провайдера из mlo.toml (по умолчанию: первый с этим плагином)",
    ),
    "json": ("one JSON document instead of a table", "один документ JSON вместо таблицы"),
    "list": ("the pulled models", "загруженные на диск модели"),
    "ps": ("the models in memory", "модели в памяти"),
    "show": ("one model: abilities, context window, size", "одна модель: возможности, окно контекста, размер"),
    "pull": (
        "download a model, or go on with a download that broke off",
        "скачать модель или продолжить прерванное скачивание",
    ),
    "attempts": (
        "tries before giving up on a download that breaks off",
        "сколько раз продолжать оборванное скачивание",
    ),
    "at least 1": ("must be at least 1", "должно быть не меньше 1"),
    "preload": ("load a model into memory", "загрузить модель в память"),
    "keep alive": (
        'how long it stays there: "10m", seconds, -1 for ever',
        'сколько она там остаётся: "10m", секунды, -1 — всегда',
    ),
    "unload": ("free the memory of a model", "освободить память, занятую моделью"),
    "model": ("name of the model, such as NAME or NAME:TAG", "имя модели: ИМЯ или ИМЯ:ТЕГ"),
    "none pulled": ("no models; pull one with `mlo ollama pull NAME`", "моделей нет; скачать: `mlo ollama pull ИМЯ`"),
    "none loaded": ("no model is in memory", "в памяти нет ни одной модели"),
    "pulled": ("{model} is there", "{model} скачана"),
    "broke off": (
        "the download broke off ({error}); going on, try {number} of {attempts}",
        "скачивание оборвалось ({error}); продолжаю, попытка {number} из {attempts}",
    ),
    "interrupted": (
        "stopped; the same command goes on where it stopped",
        "остановлено; та же команда продолжит с этого места",
    ),
    "loaded": ("{model} is in memory", "{model} в памяти"),
    "unloaded": ("{model} is out of memory", "{model} выгружена из памяти"),
    "no instance": (
        "there is no instance {name!r} of this plugin",
        "нет экземпляра {name!r} этого плагина",
    ),
    "head model": ("MODEL", "МОДЕЛЬ"),
    "head size": ("SIZE", "РАЗМЕР"),
    "head window": ("CONTEXT", "КОНТЕКСТ"),
    "head abilities": ("ABILITIES", "ВОЗМОЖНОСТИ"),
    "head until": ("UNTIL", "ДО"),
}


_LANGUAGE = ("MLO_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def text(key: str, **values: object) -> str:
    """The text called ``key`` in the reader's language (``MLO_LANG`` or the locale), ``{names}`` filled in."""
    wanted = next(
        (os.environ[name] for name in ("MLO_LANG", "LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    english, russian = _TEXTS[key]
    return (russian if wanted.lower().startswith("ru") else english).format(**values)
