"""Write docs/*/reference/metrics.md from the catalogue of metrics.

python scripts/metrics_reference.py            rewrite the pages
python scripts/metrics_reference.py --check    exit code 1 if a committed page is not current
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlo_prometheus.catalogue import CATALOGUE, Feeder, Metric

DOCS = Path(__file__).resolve().parent.parent / "docs"

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "# Metrics",
        "intro": """
What the observer `prometheus` shows; [collect metrics](../how-to/metrics.md) says how. The names and boundaries of
`gen_ai_*` are those of OpenTelemetry's conventions for generative AI, as its translation to Prometheus writes them. A
label that is empty is left out. What is unknown is missing, and never zero.
""",
        "observer": "## Calls, attempts, money",
        "chunks": "## Pieces of streams",
        "chunks-intro": "Only while the option `chunks` is on.",
        "gateway": "## From a gateway",
        "gateway-intro": "Only inside a gateway, which counts them.",
        "ledger": "## From a ledger",
        "ledger-intro": "Only where a ledger was connected with `add_gauge`.",
        "labels": "Labels",
        "none": "none",
        "unit": "unit",
        "buckets": "Boundaries",
        "labels-title": "## Labels",
        "labels-text": """
`provider` is the instance in the configuration and `gen_ai_provider_name` its plugin; `model` is the model that was
asked for, or the one that answered; `project` is the call's `metadata["project"]`; `target`, `from` and `to` are
targets as routes name them. Keys, users and prompts are in no label.

The first 100 values of a label are told apart (option `labels`), and 2000 combinations of values per metric (option
`series`); what comes later is counted as `_other`, and `mlo_labels_folded_total` says that it happened.
""",
    },
    "ru": {
        "title": "# Метрики",
        "intro": """
Что показывает наблюдатель `prometheus`; как его включить, сказано на странице
[«Собирать метрики»](../how-to/metrics.md). Имена и границы `gen_ai_*` — из соглашений OpenTelemetry для
генеративного ИИ, в том виде, в каком их записывает перевод в Prometheus. Пустая метка не показывается.
Неизвестное отсутствует и никогда не равно нулю.
""",
        "observer": "## Вызовы, попытки, деньги",
        "chunks": "## Части потоков",
        "chunks-intro": "Только при включённом параметре `chunks`.",
        "gateway": "## От шлюза",
        "gateway-intro": "Только внутри шлюза: он их и считает.",
        "ledger": "## От учёта расходов",
        "ledger-intro": "Только там, где учёт расходов подключён через `add_gauge`.",
        "labels": "Метки",
        "none": "нет",
        "unit": "единица",
        "buckets": "Границы",
        "labels-title": "## Метки",
        "labels-text": """
`provider` — экземпляр из конфигурации, `gen_ai_provider_name` — его плагин; `model` — запрошенная модель либо та, что
ответила; `project` — `metadata["project"]` вызова; `target`, `from` и `to` — цели, как их называют маршруты. Ключей,
пользователей и запросов нет ни в одной метке.

Различаются первые 100 значений метки (параметр `labels`) и 2000 сочетаний значений на метрику (параметр `series`);
что приходит позже, учитывается как `_other`, а `mlo_labels_folded_total` сообщает, что так случилось.
""",
    },
}


def entry(metric: Metric, language: str) -> Iterator[str]:
    """The lines on one metric."""
    text = TEXTS[language]
    unit = f", {text['unit']}: {metric.unit}" if metric.unit else ""
    labels = ", ".join(f"`{label}`" for label in metric.labels) or text["none"]
    yield from (f"### `{metric.name}`", "", f"`{metric.kind}`{unit}", "")
    yield from (metric.ru if language == "ru" else metric.help, "", f"{text['labels']}: {labels}.", "")
    if metric.kind == "histogram":
        yield from (f"{text['buckets']}: {', '.join(f'{bound:.10g}' for bound in metric.buckets)}.", "")


def page(language: str) -> str:
    """The page in one language."""
    text = TEXTS[language]
    lines = [text["title"], "", text["intro"].strip(), ""]
    feeders: tuple[Feeder, ...] = ("observer", "chunks", "gateway", "ledger")
    for feeder in feeders:
        lines += [text[feeder], ""]
        if intro := text.get(f"{feeder}-intro"):
            lines += [intro, ""]
        for metric in CATALOGUE:
            if metric.feeder == feeder:
                lines += entry(metric, language)
    lines += [text["labels-title"], "", text["labels-text"].strip()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Rewrite, or only compare."""
    stale = []
    for language in TEXTS:
        path = DOCS / language / "reference" / "metrics.md"
        text = page(language)
        if not path.exists() or path.read_text() != text:
            stale.append(path)
            if arguments == ["--check"]:
                print(
                    f"{path.relative_to(DOCS.parent)} is not current: run .venv/bin/python scripts/metrics_reference.py"
                )
            else:
                path.write_text(text)
    return int(arguments == ["--check"] and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
