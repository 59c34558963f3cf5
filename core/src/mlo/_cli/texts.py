"""What the core's commands say, in English and Russian. Errors come from the library and are English."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["language", "text"]

_TEXTS: Mapping[str, tuple[str, str]] = {
    "about": (
        "One interface to GigaChat, YandexGPT, local models and OpenAI-compatible servers.",
        "Один интерфейс к GigaChat, YandexGPT, локальным моделям и OpenAI-совместимым серверам.",
    ),
    "options": ("options", "параметры"),
    "own commands": ("commands", "команды"),
    "plugin commands": ("commands of plugins", "команды плагинов"),
    "help": ("show this help and exit", "показать эту справку и выйти"),
    "version": ("show the version and exit", "показать версию и выйти"),
    "config": (
        "configuration file (default: $MLO_CONFIG, then ./mlo.toml)",
        "файл конфигурации (по умолчанию: $MLO_CONFIG, затем ./mlo.toml)",
    ),
    "profile": ("profile of the configuration", "профиль конфигурации"),
    "debug": ("show tracebacks", "показывать трассировку ошибок"),
    "more": ("`mlo COMMAND --help` tells more.", "Подробнее: `mlo КОМАНДА --help`."),
    "command plugins": ("what is installed, and whether it works", "что установлено и работает ли оно"),
    "command config": ("check and show the configuration", "проверить и показать конфигурацию"),
    "plugins list": (
        "all plugins and what the policy says of them; imports none",
        "все плагины и решение политики о каждом; ни один не импортируется",
    ),
    "plugins show": (
        "one plugin: its origin, state and options",
        "один плагин: откуда он, в каком состоянии, какие у него параметры",
    ),
    "plugins doctor": (
        "load the allowed plugins and look for faults",
        "загрузить разрешённые плагины и найти неисправности",
    ),
    "plugins hooks": ("hooks: signatures and who implements them", "хуки: сигнатуры и кто их реализует"),
    "file": ("file", "файл"),
    "plugins lock": (
        "write down versions and file digests of the active plugins",
        "записать версии активных плагинов и контрольные суммы их файлов",
    ),
    "plugins verify": (
        "compare the active plugins with the lock",
        "сверить активные плагины с файлом блокировки",
    ),
    "plugins new": ("a new plugin project from the template", "новый проект плагина по шаблону"),
    "plugins conformance": (
        "run the contract kit against an installed distribution",
        "проверить установленный пакет набором контрактных тестов",
    ),
    "lock file": (
        "the lock (default: what `plugins.lock` names, else mlo.plugins.lock beside the configuration)",
        "файл блокировки (по умолчанию: указанный в `plugins.lock`, иначе mlo.plugins.lock рядом с конфигурацией)",
    ),
    "locked": (
        "{file}: distributions: {distributions}, plugins: {plugins}",
        "{file}: пакетов: {distributions}, плагинов: {plugins}",
    ),
    "lock advice": (
        'For start-up to check it, say in [{table}]: strict = true, lock = "{name}"',
        'Чтобы файл проверялся при запуске, укажите в [{table}]: strict = true, lock = "{name}"',
    ),
    "unchanged": ("{file}: the plugins are as locked", "{file}: плагины те же, что были записаны"),
    "verified": ("{file}: differences: {faults}", "{file}: отличий: {faults}"),
    "new folder": ("where the project will stand", "папка будущего проекта"),
    "template": (
        "repository or folder of the template (default: where this release comes from)",
        "репозиторий или папка шаблона (по умолчанию: репозиторий этого выпуска)",
    ),
    "template ref": ("tag or branch of the template", "метка или ветка шаблона"),
    "template data": ("answer a question beforehand", "ответить на вопрос заранее"),
    "template defaults": ("ask nothing, take the default answers", "не спрашивать, взять ответы по умолчанию"),
    "conformance dist": ("name of the distribution", "имя пакета"),
    "conformance timeout": ("seconds that the whole run may take", "сколько секунд может занять вся проверка"),
    "passed column": ("PASSED", "ПРОЙДЕНО"),
    "failed column": ("FAILED", "НАРУШЕНО"),
    "off column": ("OFF", "ВЫКЛ."),
    "not run column": ("NOT RUN", "НЕ ЗАПУЩЕНО"),
    "verdict column": ("VERDICT", "ИТОГ"),
    "conforms": ("conforms", "соответствует"),
    "breaks": ("breaks the contract", "нарушает контракт"),
    "unproven": ("unproven", "не доказано"),
    "check off": ("off, {reason}", "выключено, {reason}"),
    "check not run": ("not run, {reason}", "не запущено, {reason}"),
    "config check": (
        "check the configuration against the plugins, offline",
        "сверить конфигурацию с плагинами, без сети",
    ),
    "config show": ("the configuration in effect, secrets masked", "действующая конфигурация, секреты скрыты"),
    "config schema": ("JSON Schema of mlo.toml for editors", "JSON Schema файла mlo.toml для редакторов"),
    "json": ("print JSON", "вывести JSON"),
    "kind": ("only this kind", "только этот вид"),
    "ids": ("only these plugins", "только эти плагины"),
    "id": ("id of the plugin", "идентификатор плагина"),
    "strict": ("fail on warnings too", "считать ошибкой и предупреждения"),
    "timeout": ("seconds that one import or check may take", "сколько секунд может занять один импорт или проверка"),
    "all profiles": ("check every profile of the file", "проверить все профили файла"),
    "output": ("write to a file", "записать в файл"),
    "kind column": ("KIND", "ВИД"),
    "id column": ("ID", "ИМЯ"),
    "dist column": ("DISTRIBUTION", "ПАКЕТ"),
    "version column": ("VERSION", "ВЕРСИЯ"),
    "state column": ("STATE", "СОСТОЯНИЕ"),
    "reason column": ("REASON", "ПРИЧИНА"),
    "option column": ("OPTION", "ПАРАМЕТР"),
    "type column": ("TYPE", "ТИП"),
    "default column": ("DEFAULT", "ПО УМОЛЧАНИЮ"),
    "meaning column": ("MEANING", "СМЫСЛ"),
    "choice": ("choice", "выбор"),
    "required": ("required", "обязателен"),
    "available": ("available", "доступен"),
    "blocked": ("blocked", "запрещён"),
    "incompatible": ("incompatible", "несовместим"),
    "conflict": ("conflict", "конфликт"),
    "shadowed": ("shadowed", "вытеснен"),
    "loaded": ("loaded", "загружен"),
    "failed": ("failed", "не загружен"),
    "not loaded": ("not loaded", "не загружался"),
    "error": ("error", "ошибка"),
    "warning": ("warning", "предупреждение"),
    "info": ("note", "замечание"),
    "ok": ("ok", "норма"),
    "no plugins": ("no plugins are installed", "плагины не установлены"),
    "no options": ("no options", "параметров нет"),
    "no implementers": ("nobody implements it", "никто не реализует"),
    "doctor summary": ("errors: {errors}, warnings: {warnings}", "ошибок: {errors}, предупреждений: {warnings}"),
    "no file": ("no configuration file: nothing to check", "файла конфигурации нет: проверять нечего"),
    "check summary": (
        "{source}{profile}: ok (providers: {providers}, routes: {routes}, observers: {observers})",
        "{source}{profile}: ошибок нет (провайдеров: {providers}, маршрутов: {routes}, наблюдателей: {observers})",
    ),
    "in profile": (", profile {name}", ", профиль {name}"),
}


def language(environ: Mapping[str, str] | None = None) -> str:
    """``ru`` or ``en``: ``$MLO_LANG``, else the locale's variables in their order of precedence."""
    environ = os.environ if environ is None else environ
    for name in ("MLO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(name)
        if value:
            return "ru" if value.lower().startswith("ru") else "en"
    return "en"


def text(key: str, **values: object) -> str:
    """The text of that key in the reader's language."""
    english, russian = _TEXTS[key]
    return (russian if language() == "ru" else english).format(**values)
