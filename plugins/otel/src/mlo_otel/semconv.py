"""Every name that goes to the wire. Nothing else in this distribution spells one.

The names of the GenAI conventions move: there is one table for what current software emits (the conventions up to
1.41), and one for the newest, chosen by ``OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

__all__ = [
    "CHAT",
    "CURRENT",
    "DURATION_BUCKETS",
    "EMBEDDINGS",
    "LATEST",
    "TOKEN_BUCKETS",
    "Gen",
    "Kind",
    "Mlo",
    "Table",
    "chosen",
]

CHAT: Final = "chat"
EMBEDDINGS: Final = "embeddings"
_OPT_IN = "gen_ai_latest_experimental"
_SCHEMA = "https://opentelemetry.io/schemas/1.37.0"

Kind: TypeAlias = Literal["input", "output", "cache_read", "reasoning"]

DURATION_BUCKETS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))


class Gen:
    """Attributes of the conventions: the same in both tables."""

    ERROR_TYPE = "error.type"
    STATUS_CODE = "http.response.status_code"
    OPERATION = "gen_ai.operation.name"
    PROVIDER = "gen_ai.provider.name"
    REQUEST_MODEL = "gen_ai.request.model"
    REQUEST_STREAM = "gen_ai.request.stream"
    TEMPERATURE = "gen_ai.request.temperature"
    TOP_P = "gen_ai.request.top_p"
    TOP_K = "gen_ai.request.top_k"
    MAX_TOKENS = "gen_ai.request.max_tokens"
    STOP = "gen_ai.request.stop_sequences"
    SEED = "gen_ai.request.seed"
    FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty"
    PRESENCE_PENALTY = "gen_ai.request.presence_penalty"
    RESPONSE_ID = "gen_ai.response.id"
    RESPONSE_MODEL = "gen_ai.response.model"
    FINISH_REASONS = "gen_ai.response.finish_reasons"
    FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
    INPUT_TOKENS = "gen_ai.usage.input_tokens"
    OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
    CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
    REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
    TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - a name, no password
    TOKEN_MODALITY = "gen_ai.token.modality"  # noqa: S105 - a name, no password
    INPUT_MESSAGES = "gen_ai.input.messages"
    OUTPUT_MESSAGES = "gen_ai.output.messages"
    SYSTEM = "gen_ai.system_instructions"
    TOOLS = "gen_ai.tool.definitions"
    DETAILS = "gen_ai.client.inference.operation.details"


class Mlo:
    """Names of our own: spans, attributes, events, metrics."""

    REQUEST = "mlo.request"
    CALL_ID = "mlo.call.id"
    OPERATION = "mlo.operation"
    ROUTE = "mlo.route"
    STRATEGY = "mlo.strategy"
    STATUS = "mlo.status"
    ATTEMPTS = "mlo.attempts"
    ORGANIZATION = "mlo.organization"
    PROJECT = "mlo.project"
    KEY = "mlo.key"
    REQUEST_ID = "mlo.request.id"
    REFUSAL_REASON = "mlo.refusal.reason"
    REFUSAL_SCOPE = "mlo.refusal.scope"
    ATTEMPT = "mlo.attempt"
    TARGET = "mlo.target"
    INSTANCE = "mlo.instance"
    CANCELLED = "mlo.cancelled"
    REACHED = "mlo.reached"
    QUEUED = "mlo.queued"
    ERROR_CODE = "mlo.error.code"
    RETRY_AFTER = "mlo.error.retry_after"
    VENDOR_REQUEST_ID = "mlo.vendor.request_id"
    RESIDENCY_REGION = "mlo.residency.region"
    RESIDENCY_ON_PREM = "mlo.residency.on_prem"
    RESIDENCY_STORES = "mlo.residency.stores_prompts"
    USAGE_SOURCE = "mlo.usage.source"
    TOOL_TOKENS = "mlo.usage.tool_tokens"
    COST = "mlo.cost.nano"
    CURRENCY = "mlo.cost.currency"
    DECIDED = "mlo.route.decided"
    CANDIDATES = "mlo.route.candidates"
    REJECTED = "mlo.route.rejected"
    CHOSEN = "mlo.step.chosen"
    TARGETS = "mlo.step.targets"
    SCORED = "mlo.step.scored"
    SCORES = "mlo.step.scores"
    PROBABILITY = "mlo.step.probability"
    CALL_DURATION = "mlo.call.duration"
    DROPPED = "mlo.otel.dropped"
    SIGNAL = "mlo.otel.signal"
    REASON = "mlo.otel.reason"


@frozen(kw_only=True)
class Table:
    """The metrics of one version of the conventions; the keys are operations, and kinds of tokens.

    ``usage`` is a histogram over kinds; ``counters`` and ``distributions`` are what replaced it.
    """

    schema: str | None
    duration: Mapping[str, str]
    first_chunk: str
    chunk: str
    usage: str | None = None
    counters: Mapping[Kind, str] = field(factory=dict)
    distributions: Mapping[tuple[str, Kind], str] = field(factory=dict)


CURRENT: Final = Table(
    schema=_SCHEMA,
    duration=dict.fromkeys((CHAT, EMBEDDINGS), "gen_ai.client.operation.duration"),
    first_chunk="gen_ai.client.operation.time_to_first_chunk",
    chunk="gen_ai.client.operation.time_per_output_chunk",
    usage="gen_ai.client.token.usage",
)

LATEST: Final = Table(
    schema=None,  # its schema is in development: there is no published version to name
    duration={CHAT: "gen_ai.client.inference.duration", EMBEDDINGS: "gen_ai.client.embeddings.duration"},
    first_chunk="gen_ai.client.inference.time_to_first_chunk",
    chunk="gen_ai.client.inference.time_per_output_chunk",
    counters={
        "input": "gen_ai.client.inference.usage.input_tokens",
        "output": "gen_ai.client.inference.usage.output_tokens",
        "cache_read": "gen_ai.client.inference.usage.cache_read.input_tokens",
        "reasoning": "gen_ai.client.inference.usage.reasoning.output_tokens",
    },
    distributions={
        (CHAT, "input"): "gen_ai.client.inference.operation.input_tokens",
        (CHAT, "output"): "gen_ai.client.inference.operation.output_tokens",
        (EMBEDDINGS, "input"): "gen_ai.client.embeddings.operation.input_tokens",
    },
)


def chosen(opt_in: str) -> Table:
    """The table for a value of ``OTEL_SEMCONV_STABILITY_OPT_IN``, which is a list with commas."""
    return LATEST if _OPT_IN in {word.strip() for word in opt_in.split(",")} else CURRENT
