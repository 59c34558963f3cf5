"""What the commands of the ledger say, in English and Russian."""

from __future__ import annotations

import os
from collections.abc import Mapping

__all__ = ["is_russian", "text"]

_LANGUAGE = ("MLO_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_TEXTS: Mapping[str, tuple[str, str]] = {
    # where the books are
    "config": (
        "configuration file (default: $MLO_CONFIG, then ./mlo.toml)",
        "файл конфигурации (по умолчанию: $MLO_CONFIG, затем ./mlo.toml)",
    ),
    "profile": (
        "profile of the configuration (default: $MLO_PROFILE)",
        "профиль конфигурации (по умолчанию: $MLO_PROFILE)",
    ),
    "observer": (
        "observer of mlo.toml whose ledger it is (default: the only one)",
        "наблюдатель из mlo.toml, чей это журнал (по умолчанию: единственный)",
    ),
    "database": (
        "the ledger's database: a file or a URL (default: what mlo.toml says)",
        "база данных журнала: файл или URL (по умолчанию: из mlo.toml)",
    ),
    "no ledger": (
        'no observer with use = "ledger" is configured',
        'в конфигурации нет наблюдателя с use = "ledger"',
    ),
    "no ledger hint": (
        "add one to mlo.toml, or name a database with --database",
        "добавьте его в mlo.toml или укажите базу параметром --database",
    ),
    "several ledgers": (
        "several observers keep a ledger: {names}",
        "журналов несколько: {names}",
    ),
    "several ledgers hint": ("choose one with --observer", "выберите один параметром --observer"),
    "no observer": ("there is no ledger {name!r}", "журнала {name!r} нет"),
    "no database": ("there is no ledger in {place} yet", "в {place} журнала ещё нет"),
    "no database hint": (
        "it is made by the first call; or run `mlo ledger migrate`",
        "он появится с первым вызовом; или выполните `mlo ledger migrate`",
    ),
    "json": ("one JSON document", "один документ JSON"),
    "csv": ("CSV with a line of names first", "CSV, в первой строке имена столбцов"),
    "output": (
        "file to write to, which must not exist yet (default: standard output)",
        "файл для записи, которого ещё нет (по умолчанию: стандартный вывод)",
    ),
    "day or time": ("DAY", "ДЕНЬ"),
    # usage
    "usage": (
        "What was used and what it cost, from the hourly sums of the ledger.",
        "Что израсходовано и сколько стоило: по почасовым итогам журнала.",
    ),
    "by": (
        "what to break down by, such as `day` or `project,model` (default: day). One or several of: {names}",
        "разбивка, например `day` или `project,model` (по умолчанию: day). Одно или несколько из: {names}",
    ),
    "from": ("first day or time, ISO 8601", "первый день или время, ISO 8601"),
    "to": (
        "day or time before which it ends (default: now)",
        "день или время, до которого считать (по умолчанию: сейчас)",
    ),
    "last": (
        "the last hours, days or weeks with the current one: 24h, 7d, 4w",
        "последние часы, дни или недели, включая текущие: 24h, 7d, 4w",
    ),
    "month": (
        "a calendar month such as 2026-11 (default: the current one)",
        "календарный месяц, например 2026-11 (по умолчанию: текущий)",
    ),
    "zone": (
        "time zone of days and months (default: %(default)s)",
        "часовой пояс дней и месяцев (по умолчанию: %(default)s)",
    ),
    "only": ("only what has this {name}; may be repeated", "только с этим {name}; можно повторять"),
    "no chart": ("no bars", "без диаграммы"),
    "bad last": ("{value!r} is no length of time: write 24h, 7d or 4w", "{value!r} — не срок: пишите 24h, 7d или 4w"),
    "bad month": ("{value!r} is no month: write it like 2026-11", "{value!r} — не месяц: пишите как 2026-11"),
    "bad zone": (
        "there is no time zone {value!r}, such as Europe/Moscow",
        "нет часового пояса {value!r}, пишите как Europe/Moscow",
    ),
    "bad time": (
        "{value!r} is no time, or none in the right order: write 2026-11-26 or 2026-11-26T12:00",
        "{value!r} — не время, или порядок обратный: пишите 2026-11-26 или 2026-11-26T12:00",
    ),
    "bad by": (
        "cannot break down by {value!r}; one or several of: {names}",
        "разбивки по {value!r} нет; есть: {names}",
    ),
    "to without from": ("--to needs --from", "--to требует --from"),
    "from and others": ("--from cannot go with --last or --month", "--from несовместим с --last и --month"),
    "period": ("{begin} to {end}, {zone}", "{begin} — {end}, {zone}"),
    "nothing used": ("no calls in this time", "за это время вызовов не было"),
    "total": ("TOTAL", "ИТОГО"),
    "unknown cost": ("cost unknown", "стоимость неизвестна"),
    "at least": ("at least {amount}", "не менее {amount}"),
    "calls": ("call|calls|calls", "вызов|вызова|вызовов"),
    "attempts": ("attempt|attempts|attempts", "попытка|попытки|попыток"),
    "unpriced": ("{attempts} without a known cost", "{attempts} с неизвестной стоимостью"),
    "estimated": (
        "{attempts} with tokens that were estimated, not reported",
        "{attempts} с оценкой числа токенов вместо данных поставщика",
    ),
    "indeterminate": (
        "{attempts} whose outcome is unknown: the vendor may have charged for them",
        "{attempts} с неизвестным исходом: поставщик мог за них списать",
    ),
    "shifted": (
        "limits of days within an hour of UTC are moved to its beginning: the sums are hourly",
        "границы суток внутри часа UTC сдвинуты к его началу: итоги почасовые",
    ),
    "head day": ("DAY", "ДЕНЬ"),
    "head hour": ("HOUR", "ЧАС"),
    "head month": ("MONTH", "МЕСЯЦ"),
    "head organization": ("ORGANIZATION", "ОРГАНИЗАЦИЯ"),
    "head project": ("PROJECT", "ПРОЕКТ"),
    "head key": ("KEY", "КЛЮЧ"),
    "head provider": ("PROVIDER", "ПРОВАЙДЕР"),
    "head model": ("MODEL", "МОДЕЛЬ"),
    "head route": ("ROUTE", "МАРШРУТ"),
    "head status": ("STATUS", "СТАТУС"),
    "head calls": ("CALLS", "ВЫЗОВЫ"),
    "head failed": ("FAILED", "СБОИ"),
    "head prompt": ("PROMPT", "ЗАПРОС"),
    "head completion": ("COMPLETION", "ОТВЕТ"),
    "head cost": ("COST", "СТОИМОСТЬ"),
    # prices
    "prices": ("Prices of models: what the ledger counts with.", "Цены моделей, по которым считает журнал."),
    "prices list": ("the prices that apply", "действующие цены"),
    "prices check": (
        "look for gaps, overlaps and stale prices in files, or in the ledger",
        "найти пропуски, наложения и устаревшие цены в файлах или в журнале",
    ),
    "prices import": (
        "take over the prices of files, all or none; elder versions end where newer ones begin",
        "принять цены из файлов, все или ни одной; прежние версии заканчиваются с началом новых",
    ),
    "price file": ("price file, TOML or JSON", "файл цен, TOML или JSON"),
    "all versions": ("past and future versions too", "и прошлые, и будущие версии"),
    "at": ("the prices of that day or time (default: now)", "цены на этот день или время (по умолчанию: сейчас)"),
    "stale days": (
        "days after which a price should be compared with its source again (default: %(default)s)",
        "через сколько дней цену пора снова сверить с источником (по умолчанию: %(default)s)",
    ),
    "strict": ("warnings fail, too", "предупреждения — тоже ошибка"),
    "dry run": ("only show what would change", "только показать, что изменится"),
    "bad number": ("{value!r} is no whole number of days", "{value!r} — не целое число дней"),
    "the ledger": ("the ledger", "журнал"),
    "no prices": ("no prices", "цен нет"),
    "no price file": ("cannot be read: {reason}", "не читается: {reason}"),
    "sound": ("{name}: {prices}, no objections", "{name}: {prices}, замечаний нет"),
    "prices count": ("price|prices|prices", "цена|цены|цен"),
    "warning": ("warning", "предупреждение"),
    "error": ("error", "ошибка"),
    "info": ("note", "примечание"),
    "not imported": ("nothing was imported", "ничего не принято"),
    "contradicts": (
        "contradicts the price that the ledger has from {begin}: what was accounted keeps its price",
        "противоречит цене, которая есть в журнале с {begin}: учтённое сохраняет свою цену",
    ),
    "contradicts hint": (
        "give the correction a valid_from of its own, after that",
        "задайте исправлению собственную дату valid_from, позже этой",
    ),
    "imported": (
        "{added} added, {closed} ended, {confirmed} confirmed",
        "добавлено: {added}, закончено: {closed}, подтверждено: {confirmed}",
    ),
    "would import": (
        "would be: {added} added, {closed} ended, {confirmed} confirmed",
        "было бы добавлено: {added}, закончено: {closed}, подтверждено: {confirmed}",
    ),
    "head input": ("INPUT", "ВВОД"),
    "head output": ("OUTPUT", "ВЫВОД"),
    "head cached": ("CACHED", "КЭШ"),
    "head tool": ("TOOL", "ИНСТР."),
    "head reasoning": ("REASONING", "РАССУЖД."),
    "head request": ("CALL", "ВЫЗОВ"),
    "head from": ("FROM", "С"),
    "head until": ("TO", "ДО"),
    "head checked": ("CHECKED", "СВЕРЕНО"),
    "head origin": ("ORIGIN", "ОТКУДА"),
    "imported price": ("file", "файл"),
    "observed price": ("calls", "вызовы"),
    "per million": (
        "per million tokens ({currencies}); CALL: per call",
        "за миллион токенов ({currencies}); ВЫЗОВ: за один вызов",
    ),
    # ledger
    "ledger": ("The books themselves: audit, schema, export.", "Сам журнал: проверка, схема, выгрузка."),
    "verify": (
        "recompute every cost and every sum from the events; the exit code is 1 where something differs",
        "пересчитать по событиям все стоимости и итоги; код выхода 1, если что-то не сходится",
    ),
    "migrate": (
        "bring the database to the schema of this version, or to another",
        "привести базу к схеме этой версии или другой",
    ),
    "revision": (
        "the schema to go to: a revision, or `base` to remove all tables (default: the newest)",
        "к какой схеме: ревизия или `base`, чтобы удалить все таблицы (по умолчанию: новейшая)",
    ),
    "yes": ("agree to lose what an older schema cannot hold", "согласиться потерять то, чего нет в более старой схеме"),
    "no version": ("there is no version {version!r}", "версии {version!r} нет"),
    "needs yes": ("going back to {revision} loses data", "возврат к {revision} теряет данные"),
    "needs yes hint": ("export first; then add --yes", "сначала выгрузите данные; затем добавьте --yes"),
    "export": ("all events of a time, one per attempt", "все события за время, по одному на попытку"),
    "format": ("csv, or one JSON object per line (default)", "csv или по объекту JSON в строке (по умолчанию)"),
    "migrated": ("schema {before} → {after}", "схема {before} → {after}"),
    "schema is": ("the schema is at {after}", "схема: {after}"),
    "no schema": ("none", "нет"),
    "verified": (
        "{events}, {prices}, {hours}, {windows}: everything agrees",
        "{events}, {prices}, {hours}, {windows}: всё сходится",
    ),
    "verified with differences": (
        "{events}, {prices}, {hours}, {windows}: see above for what differs",
        "{events}, {prices}, {hours}, {windows}: расхождения выше",
    ),
    "differs price": ("prices that were changed", "изменённые цены"),
    "differs cost": ("events whose cost is not that of their price", "события, стоимость которых не следует из цены"),
    "differs hour": ("hourly sums that are not those of the events", "почасовые итоги, не равные сумме событий"),
    "differs window": ("limits whose use is not that of the events", "лимиты, расход которых не равен сумме событий"),
    "differs lease": ("limits whose reserve is not what leases hold", "лимиты, резерв которых не равен сумме долей"),
    "not as": ("expected {expected}, found {found}", "ожидалось {expected}, найдено {found}"),
    "vendor costs": (
        "taken as they are, with the cost that the vendor itself named: {events}",
        "приняты как есть, со стоимостью, которую назвал сам поставщик: {events}",
    ),
    "unchecked": (
        "not checked: {windows} from before the oldest event that is kept",
        "не проверено: {windows}, начатые раньше самого старого из хранимых событий",
    ),
    "windows count": ("limit window|limit windows|limit windows", "окно лимита|окна лимитов|окон лимитов"),
    "events count": ("event|events|events", "событие|события|событий"),
    "hours count": ("hourly sum|hourly sums|hourly sums", "почасовой итог|почасовых итога|почасовых итогов"),
    "and more": ("… and {count} more of this kind", "… и ещё {count} таких"),
    "exported": ("{events} written to {place}", "записано: {events}, {place}"),
    "file exists": ("exists already", "уже существует"),
    "not writable": ("cannot be written: {reason}", "не записывается: {reason}"),
}


def is_russian() -> bool:
    """Whether the reader's language (``MLO_LANG`` or the locale) is Russian."""
    wanted = next((os.environ[name] for name in _LANGUAGE if os.environ.get(name)), "")
    return wanted.lower().startswith("ru")


def text(key: str, **values: object) -> str:
    """The text called ``key`` in the reader's language, ``{names}`` filled in."""
    english, russian = _TEXTS[key]
    return (russian if is_russian() else english).format(**values)
