"""Every metric by name: what it counts, by which labels, in which unit.

The names and boundaries of ``gen_ai_*`` are those of OpenTelemetry's conventions for generative AI as its translation
to Prometheus writes them, so that one dashboard serves both; labels of ours stand beside theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attrs import field, frozen

__all__ = ["BY_NAME", "CATALOGUE", "CLOSED", "DURATIONS", "TOKENS", "Feeder", "Kind", "Metric"]

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Feeder: TypeAlias = Literal["observer", "chunks", "gateway", "ledger"]

# seconds; and tokens: powers of two and of four, as OpenTelemetry advises for these instruments
DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))

# labels whose values this plugin chooses itself: they keep them when a metric has too many series
CLOSED = frozenset(
    {"error_type", "gen_ai_operation_name", "gen_ai_token_type", "label", "operation", "outcome", "status", "type"}
)

_CLIENT = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "provider")
_SPENT = ("provider", "model", "project")


@frozen(kw_only=True)
class Metric:
    """One metric. ``help`` and ``ru`` say the same in English and in Russian.

    ``buckets`` are the boundaries of a histogram. What is counted is divided by ``scale`` when it is shown: money is
    counted in whole nano-units. ``feeder`` says who counts: this observer, this observer with ``chunks`` on, or a
    gateway or a ledger that was connected to it.
    """

    name: str
    kind: Kind
    help: str
    ru: str = ""
    labels: tuple[str, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = DURATIONS
    scale: int = 1
    feeder: Feeder = "observer"
    translated: bool = field(default=False)


CATALOGUE: tuple[Metric, ...] = (
    Metric(
        name="gen_ai_client_operation_duration_seconds",
        kind="histogram",
        labels=(*_CLIENT, "error_type"),
        unit="seconds",
        help="Duration of one attempt at one provider, waiting for a free slot included; error_type if it failed.",
        ru="Длительность одной попытки у одного провайдера вместе с ожиданием слота; error_type, если она не удалась.",
        translated=True,
    ),
    Metric(
        name="gen_ai_client_operation_time_to_first_chunk_seconds",
        kind="histogram",
        labels=_CLIENT,
        unit="seconds",
        help="Time from the start of a streamed attempt to its first event.",
        ru="Время от начала потоковой попытки до её первого события.",
        translated=True,
    ),
    Metric(
        name="gen_ai_client_operation_time_per_output_chunk_seconds",
        kind="histogram",
        labels=_CLIENT,
        unit="seconds",
        help="Time between two pieces of a streamed answer, as its reader took them.",
        ru="Время между двумя частями потокового ответа, как их забирал читатель.",
        feeder="chunks",
        translated=True,
    ),
    Metric(
        name="gen_ai_client_token_usage",
        kind="histogram",
        labels=(*_CLIENT, "gen_ai_token_type"),
        unit="tokens",
        buckets=TOKENS,
        help="Tokens of one attempt: input and output; attempts whose counts are unknown are not here.",
        ru="Токены одной попытки: вход и выход; попыток с неизвестным числом токенов здесь нет.",
        translated=True,
    ),
    Metric(
        name="mlo_call_duration_seconds",
        kind="histogram",
        labels=("operation", "status", "project"),
        unit="seconds",
        help="Duration of a whole call: all attempts and pauses. status: ok, error, cancelled, abandoned, refused.",
        ru="Длительность вызова целиком: все попытки и паузы. status: ok, error, cancelled, abandoned, refused.",
    ),
    Metric(
        name="mlo_attempts_total",
        kind="counter",
        labels=("provider", "model", "operation", "outcome", "project"),
        help="Attempts that ended. outcome: ok, cancelled, or the name of the error.",
        ru="Закончившиеся попытки. outcome: ok, cancelled или имя ошибки.",
    ),
    Metric(
        name="mlo_tokens_total",
        kind="counter",
        labels=(*_SPENT, "type"),
        unit="tokens",
        help="Known tokens. type: input and output; cached and tool are parts of input, reasoning is part of output.",
        ru="Известные токены. type: input и output; cached и tool входят в input, reasoning — в output.",
    ),
    Metric(
        name="mlo_cost_rub_total",
        kind="counter",
        labels=_SPENT,
        unit="roubles",
        scale=1_000_000_000,
        help="Known cost in roubles.",
        ru="Известная стоимость в рублях.",
    ),
    Metric(
        name="mlo_cost_other_total",
        kind="counter",
        labels=(*_SPENT, "currency"),
        unit="currency",
        scale=1_000_000_000,
        help="Known cost in other currencies, in units of the currency.",
        ru="Известная стоимость в других валютах, в единицах валюты.",
    ),
    Metric(
        name="mlo_cost_unknown_total",
        kind="counter",
        labels=_SPENT,
        help="Attempts that consumed something and whose cost nobody knows: the cost metrics leave them out.",
        ru="Попытки, которые что-то израсходовали, но стоимость неизвестна: в метриках стоимости их нет.",
    ),
    Metric(
        name="mlo_fallback_total",
        kind="counter",
        labels=("from", "to", "reason"),
        help="Attempts at another target after one had failed. reason: the name of the error.",
        ru="Попытки у другой цели после неудачи первой. reason: имя ошибки.",
    ),
    Metric(
        name="mlo_retry_total",
        kind="counter",
        labels=("target", "reason"),
        help="Further attempts at the target that had just failed. reason: the name of the error.",
        ru="Повторные попытки у той же цели после неудачи. reason: имя ошибки.",
    ),
    Metric(
        name="mlo_breaker_state",
        kind="gauge",
        labels=("target",),
        help="Circuit breaker of a target: 0 closed, 1 half-open, 2 open.",
        ru="Предохранитель цели: 0 замкнут, 1 полуоткрыт, 2 разомкнут.",
    ),
    Metric(
        name="mlo_inflight",
        kind="gauge",
        labels=("provider",),
        help="Attempts under way, those that wait for a free slot included.",
        ru="Идущие попытки, включая ждущие слота.",
    ),
    Metric(
        name="mlo_queue_seconds",
        kind="histogram",
        labels=("provider",),
        unit="seconds",
        help="How long attempts waited for a free slot of their provider.",
        ru="Сколько попытки ждали свободного слота у провайдера.",
    ),
    Metric(
        name="mlo_refused_total",
        kind="counter",
        labels=("reason",),
        help="Calls that were refused before anything was sent, such as budget-exhausted.",
        ru="Вызовы, отклонённые до отправки чего-либо, например budget-exhausted.",
    ),
    Metric(
        name="mlo_labels_folded_total",
        kind="counter",
        labels=("label",),
        help="How often a value of this label came too late to be told apart and was counted as _other.",
        ru="Сколько раз значение метки пришло сверх предела и было учтено как _other.",
    ),
    Metric(
        name="mlo_rate_limited_total",
        kind="counter",
        labels=("scope",),
        help="Requests that a rate limit turned away, by the scope of the limit.",
        ru="Запросы, отклонённые ограничением частоты, по области ограничения.",
        feeder="gateway",
    ),
    Metric(
        name="mlo_gateway_requests",
        kind="gauge",
        help="Requests of the gateway's clients under way.",
        ru="Идущие запросы клиентов шлюза.",
        feeder="gateway",
    ),
    Metric(
        name="mlo_gateway_waiting",
        kind="gauge",
        help="Requests that wait until the gateway has a place for them.",
        ru="Запросы, ожидающие места в шлюзе.",
        feeder="gateway",
    ),
    Metric(
        name="mlo_gateway_overloaded",
        kind="gauge",
        help="Requests that the gateway has sent away for lack of a place since it started.",
        ru="Запросы, которым шлюз отказал из-за нехватки места, с момента запуска.",
        feeder="gateway",
    ),
    Metric(
        name="mlo_ledger_lag_seconds",
        kind="gauge",
        unit="seconds",
        help="Age of the oldest settlement that the ledger has not yet committed.",
        ru="Возраст самой старой записи, ещё не зафиксированной в учёте расходов.",
        feeder="ledger",
    ),
    Metric(
        name="mlo_ledger_backlog",
        kind="gauge",
        help="Settlements that wait to be committed.",
        ru="Записи, ожидающие фиксации в учёте расходов.",
        feeder="ledger",
    ),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in CATALOGUE}
