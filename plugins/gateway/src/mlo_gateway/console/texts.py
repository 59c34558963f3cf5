"""What ``mlo keys`` and ``mlo gateway`` say, in English and Russian."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["text"]

_LANGUAGE = ("MLO_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_TEXTS: Mapping[str, tuple[str, str]] = {
    # the commands
    "keys about": (
        "Virtual keys of the gateway, in its database: works while the gateway runs, and while it does not.",
        "Виртуальные ключи шлюза в его базе данных: работает и при запущенном шлюзе, и без него.",
    ),
    "gateway about": (
        "Organizations, projects, members, plans and the audit log of the gateway, in its database.",
        "Организации, проекты, участники, тарифы и журнал аудита шлюза в его базе данных.",
    ),
    "help": ("show this help and leave", "показать эту справку и выйти"),
    "options": ("options", "параметры"),
    "arguments": ("arguments", "аргументы"),
    "keys list": ("the keys, without what they open by", "ключи без их секретной части"),
    "keys create": (
        "make a key; its text is printed once and kept nowhere",
        "создать ключ; его текст печатается один раз и нигде не хранится",
    ),
    "keys rotate": ("replace a key by a new one", "заменить ключ новым"),
    "keys revoke": (
        "end a key: everywhere within a second, open streams included",
        "отозвать ключ: везде в течение секунды, открытые потоки тоже прервутся",
    ),
    "organizations": ("who owns projects", "владельцы проектов"),
    "projects": ("what usage and budgets are counted for", "то, для чего считаются расход и бюджеты"),
    "members": ("people with a role", "люди, у которых есть роль"),
    "plans": ("what projects may", "что разрешено проектам"),
    "audit": ("who did what, the latest first", "кто и что сделал, начиная с последнего"),
    "migrate": (
        "make the tables of accounts, or bring them up to date",
        "создать таблицы учётных записей или обновить их",
    ),
    "list": ("list them", "показать список"),
    "create": ("make one", "создать"),
    "change": ("change one", "изменить"),
    "close": ("close one for good and revoke its keys", "закрыть навсегда и отозвать ключи"),
    "add": ("give somebody a role", "дать роль"),
    "remove": ("take the role away and revoke the keys that go with it", "забрать роль и отозвать выданные ключи"),
    "set": ("write down a plan", "задать тариф"),
    "drop": ("forget a plan that was set", "забыть заданный тариф"),
    # their arguments
    "database": (
        "URL of the database (default: that of mlo.toml, else the file mlo-data/mlo.db)",
        "URL базы данных (по умолчанию: из mlo.toml, иначе файл mlo-data/mlo.db)",
    ),
    "json": ("one JSON document", "один документ JSON"),
    "project": ("project (default: default)", "проект (по умолчанию: default)"),
    "project filter": ("of this project only", "только этого проекта"),
    "organization": ("organization (default: default)", "организация (по умолчанию: default)"),
    "organization filter": ("of this organization only", "только этой организации"),
    "member project": ("in this project only", "только в этом проекте"),
    "all": ("also those that have ended", "вместе с закончившимися"),
    "key": ("id of the key, or the beginning of its text", "идентификатор ключа или начало его текста"),
    "key name": ("what it is called in lists", "как он называется в списках"),
    "role": (
        "owner, developer or viewer (default: developer)",
        "owner, developer или viewer (по умолчанию: developer)",
    ),
    "reach": (
        "how far the role extends: gateway, organization or project (default: project; gateway for owners)",
        "на что распространяется роль: gateway, organization или project (по умолчанию: project; для owner — gateway)",
    ),
    "scope": (
        "inference or admin; may be repeated (default: inference; both for owners)",
        "inference или admin; можно повторять (по умолчанию: inference; для owner — оба)",
    ),
    "model": (
        "pattern of model names that it may use; may be repeated (default: all)",
        "шаблон имён разрешённых моделей; можно повторять (по умолчанию: все)",
    ),
    "expires": (
        "when it ends: 90d, 12h, or a time such as 2027-01-31T12:00:00Z (default: never)",
        "когда закончится: 90d, 12h или время вида 2027-01-31T12:00:00Z (по умолчанию: никогда)",
    ),
    "overlap": (
        "how long the old one goes on: 24h, 30m (default: 0, not at all)",
        "сколько ещё работает старый: 24h, 30m (по умолчанию: 0, нисколько)",
    ),
    "member": ("id of the member whom it is for", "идентификатор участника, которому он выдан"),
    "member id": ("id of the member", "идентификатор участника"),
    "member name": ("name or e-mail address", "имя или адрес почты"),
    "requests minute": ("requests a minute", "запросов в минуту"),
    "tokens minute": ("tokens a minute", "токенов в минуту"),
    "concurrency": ("requests under way", "запросов одновременно"),
    "requests month": ("requests a calendar month", "запросов в календарный месяц"),
    "budget": ("roubles a calendar month, such as 1990 or 0.5", "рублей в календарный месяц, например 1990 или 0.5"),
    "price": ("what the plan costs a month; shown, not charged", "цена тарифа в месяц; показывается, не списывается"),
    "overage": (
        "block calls beyond the month's limits, or warn (default: block)",
        "сверх месячных лимитов: block — отказывать, warn — предупреждать (по умолчанию: block)",
    ),
    "time zone": ("time zone of months (default: Europe/Moscow)", "часовой пояс месяцев (по умолчанию: Europe/Moscow)"),
    "plan": ("plan", "тариф"),
    "title": ("title", "заголовок"),
    "name": ("name: small letters, digits, hyphens", "имя: строчные латинские буквы, цифры, дефисы"),
    "limit": ("how many (default: 50)", "сколько показать (по умолчанию: 50)"),
    "check": ("see whether the log is as it was written", "проверить, что журнал не меняли"),
    # what they print
    "created": (
        "key {id} of the project {project}; this is the only time that its text is shown",
        "ключ {id} проекта {project}; его текст показывается только сейчас",
    ),
    "rotated": (
        "key {id} in place of {old}; this is the only time that its text is shown",
        "ключ {id} вместо {old}; его текст показывается только сейчас",
    ),
    "old until": ("the old one goes on until {until}", "старый работает до {until}"),
    "old ended": ("the old one has ended", "старый больше не работает"),
    "revoked": ("{prefix} is revoked", "{prefix} отозван"),
    "done": ("{name}: done", "{name}: готово"),
    "none": ("there are none", "ничего нет"),
    "intact": ("{events} events, all as they were written", "событий: {events}, все в исходном виде"),
    "broken changed": ("event {seq} was changed", "событие {seq} изменено"),
    "broken missing": ("event {seq} is missing", "события {seq} нет"),
    "migrated": ("the tables are up to date", "таблицы в порядке"),
    "no database": ("there is no database at {place} yet", "базы данных {place} ещё нет"),
    "no database hint": ("make it with `mlo keys create`", "её создаст `mlo keys create`"),
    "bad time": (
        "{value!r} is no time: write it like 90d, 12h or 2027-01-31T12:00:00Z",
        "{value!r} — не время: пишите 90d, 12h или 2027-01-31T12:00:00Z",
    ),
    "bad length": (
        "{value!r} is no length of time: write it like 24h, 30m or 0",
        "{value!r} — не промежуток времени: пишите 24h, 30m или 0",
    ),
    "at least 1": ("must be at least 1", "должно быть не меньше 1"),
    # heads of tables
    "head id": ("ID", "ИД"),
    "head prefix": ("KEY", "КЛЮЧ"),
    "head name": ("NAME", "ИМЯ"),
    "head title": ("TITLE", "ЗАГОЛОВОК"),
    "head project": ("PROJECT", "ПРОЕКТ"),
    "head organization": ("ORGANIZATION", "ОРГАНИЗАЦИЯ"),
    "head plan": ("PLAN", "ТАРИФ"),
    "head role": ("ROLE", "РОЛЬ"),
    "head scopes": ("SCOPES", "ОБЛАСТИ"),
    "head state": ("STATE", "СОСТОЯНИЕ"),
    "head expires": ("EXPIRES", "ДО"),
    "head used": ("LAST USED", "ПОСЛЕДНИЙ РАЗ"),
    "head month": ("REQUESTS/MONTH", "ЗАПРОСОВ/МЕС"),
    "head budget": ("RUB/MONTH", "РУБ/МЕС"),
    "head source": ("SOURCE", "ИСТОЧНИК"),
    "head seq": ("NO", "№"),
    "head at": ("TIME", "ВРЕМЯ"),
    "head actor": ("WHO", "КТО"),
    "head action": ("ACT", "ДЕЙСТВИЕ"),
    "head target": ("WHAT", "ЧТО"),
    "active": ("active", "действует"),
    "expired": ("expired", "истёк"),
    "revoked state": ("revoked", "отозван"),
    "open": ("open", "открыт"),
    "closed": ("closed", "закрыт"),
}


def text(key: str, **values: object) -> str:
    """The text called ``key`` in the reader's language (``MLO_LANG`` or the locale), ``{names}`` filled in."""
    wanted = next((os.environ[name] for name in _LANGUAGE if os.environ.get(name)), "")
    english, russian = _TEXTS[key]
    return (russian if wanted.lower().startswith("ru") else english).format(**values)
