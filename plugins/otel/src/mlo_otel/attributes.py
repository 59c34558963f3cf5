"""From records to attributes: pure functions. What nobody knows has no attribute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from mlo import records
from mlo.errors import CallRefused, ProviderError
from mlo.models import Residency
from mlo.requests import ChatRequest
from mlo.responses import Usage
from mlo.routing import Request

from .semconv import CHAT, EMBEDDINGS, Gen, Mlo

__all__ = [
    "Attributes",
    "attempt_attributes",
    "call_attributes",
    "clean",
    "clean_text",
    "decision_attributes",
    "error_attributes",
    "failure_attributes",
    "finish_attributes",
    "operation_of",
    "outcome_attributes",
    "sampling_attributes",
    "step_attributes",
    "summary",
    "usage_attributes",
]

Attributes: TypeAlias = dict[str, str | bool | int | float | Sequence[str] | Sequence[float]]

# of a request's metadata only these are shown: the rest may hold anything
_ACCOUNTING = {
    "organization": Mlo.ORGANIZATION,
    "project": Mlo.PROJECT,
    "key": Mlo.KEY,
    "request_id": Mlo.REQUEST_ID,
}


def _known(pairs: Mapping[str, Any]) -> Attributes:
    return {name: value for name, value in pairs.items() if value is not None}


def clean(attributes: Mapping[str, Any]) -> Attributes:
    """The same, but for lone surrogates: one in a text from outside, and a whole batch could not be encoded."""
    for value in attributes.values():
        kind = type(value)
        if (kind is str and not value.isascii()) or kind in _NESTED:
            return {name: _clean(item) for name, item in attributes.items()}
    return attributes if isinstance(attributes, dict) else dict(attributes)


_NESTED = {list, tuple, dict}


def clean_text(text: str) -> str:
    """The same for one text."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def operation_of(operation: str) -> str:
    """What the conventions call an operation of ours."""
    return EMBEDDINGS if operation == "embed" else CHAT


def call_attributes(record: records.CallStarted) -> Attributes:
    """Of a call: what it is, and on whose account."""
    said: Attributes = {
        Mlo.CALL_ID: record.call_id,
        Mlo.OPERATION: record.operation,
        Mlo.ROUTE: record.route,
    }
    for key, name in _ACCOUNTING.items():
        if key in record.metadata:
            said[name] = record.metadata[key]
    return said


def decision_attributes(record: records.RouteDecided) -> Attributes:
    """Of the event that tells who may answer."""
    said: Attributes = {Mlo.CANDIDATES: record.candidates}
    if record.rejected:
        said[Mlo.REJECTED] = [f"{name}: {reason}" for name, reason in record.rejected.items()]
    return said


def step_attributes(record: records.StepChosen) -> Attributes:
    """Of the event that tells whom the strategy chose."""
    said: Attributes = {Mlo.TARGETS: record.targets}
    if record.scores:
        said[Mlo.SCORED] = list(record.scores)
        said[Mlo.SCORES] = [float(score) for score in record.scores.values()]
    if record.probability is not None:
        said[Mlo.PROBABILITY] = record.probability
    return said


def attempt_attributes(record: records.AttemptStarted) -> Attributes:
    """Of an attempt, in our own words."""
    said: Attributes = {Mlo.TARGET: record.target, Mlo.ATTEMPT: record.attempt}
    if record.provider:
        said[Mlo.INSTANCE] = record.provider
    if record.residency != _NOWHERE:
        residency = record.residency
        said |= _known(
            {
                Mlo.RESIDENCY_REGION: residency.region,
                Mlo.RESIDENCY_ON_PREM: residency.on_prem,
                Mlo.RESIDENCY_STORES: residency.stores_prompts,
            }
        )
    return said


_NOWHERE = Residency()


def sampling_attributes(request: Request | None) -> Attributes:
    """Of how the answer was to be made; known only where requests are captured."""
    if not isinstance(request, ChatRequest):
        return {}
    sampling = request.sampling
    return _known(
        {
            Gen.TEMPERATURE: sampling.temperature,
            Gen.TOP_P: sampling.top_p,
            Gen.TOP_K: sampling.top_k,
            Gen.MAX_TOKENS: sampling.max_tokens,
            Gen.STOP: sampling.stop or None,
            Gen.SEED: sampling.seed,
            Gen.FREQUENCY_PENALTY: sampling.frequency_penalty,
            Gen.PRESENCE_PENALTY: sampling.presence_penalty,
        }
    )


def usage_attributes(usage: Usage, operation: str) -> Attributes:
    """Of what an attempt consumed and cost."""
    said: Attributes = {}
    if usage.prompt_tokens is not None:
        said[Gen.INPUT_TOKENS] = usage.prompt_tokens
    if usage.completion_tokens is not None and operation != EMBEDDINGS:
        said[Gen.OUTPUT_TOKENS] = usage.completion_tokens
    if usage.cached_tokens:
        said[Gen.CACHE_READ_TOKENS] = usage.cached_tokens
    if usage.reasoning_tokens:
        said[Gen.REASONING_TOKENS] = usage.reasoning_tokens
    if usage.tool_tokens:
        said[Mlo.TOOL_TOKENS] = usage.tool_tokens
    if said:
        said[Mlo.USAGE_SOURCE] = usage.source
    if usage.cost is not None:
        said[Mlo.COST] = usage.cost.nano
        said[Mlo.CURRENCY] = usage.cost.currency
    return said


def finish_attributes(record: records.AttemptFinished, operation: str) -> Attributes:
    """Of an attempt that succeeded."""
    said = usage_attributes(record.usage, operation)
    if record.model is not None:
        said[Gen.RESPONSE_MODEL] = record.model
    if record.finish_reason is not None:
        said[Gen.FINISH_REASONS] = (str(record.finish_reason),)
    if record.request_id is not None:
        said[Mlo.VENDOR_REQUEST_ID] = record.request_id
    if record.response is not None and record.response.response_id is not None:
        said[Gen.RESPONSE_ID] = record.response.response_id
    if record.queued:
        said[Mlo.QUEUED] = record.queued
    return said


def failure_attributes(record: records.AttemptFailed, operation: str) -> Attributes:
    """Of an attempt that failed, or was given up."""
    said = usage_attributes(record.usage, operation)
    if record.error is not None:
        said |= error_attributes(record.error)
    if record.cancelled:
        said[Mlo.CANCELLED] = True
    if not record.reached:
        said[Mlo.REACHED] = False
    if record.queued:
        said[Mlo.QUEUED] = record.queued
    return said


def outcome_attributes(record: records.CallFinished) -> Attributes:
    """Of a call that is over."""
    said: Attributes = {Mlo.STATUS: record.status, Mlo.ATTEMPTS: record.attempts}
    if record.target is not None:
        said[Mlo.TARGET] = record.target
    if record.usage.cost is not None:
        said[Mlo.COST] = record.usage.cost.nano
        said[Mlo.CURRENCY] = record.usage.cost.currency
    if record.error is not None:
        said |= error_attributes(record.error)
    return said


def error_attributes(error: Exception) -> Attributes:
    """Of an error: its kind and its numbers, never its text, in which vendors repeat what they were sent."""
    said: Attributes = {Gen.ERROR_TYPE: type(error).__name__}
    if isinstance(error, ProviderError):
        said |= _known(
            {
                Gen.STATUS_CODE: error.status,
                Mlo.ERROR_CODE: error.code,
                Mlo.RETRY_AFTER: error.retry_after,
                Mlo.VENDOR_REQUEST_ID: error.request_id,
            }
        )
    elif isinstance(error, CallRefused):
        said[Mlo.REFUSAL_REASON] = error.reason
        if error.scope:
            said[Mlo.REFUSAL_SCOPE] = error.scope
    return said


def summary(error: Exception) -> str:
    """An error in a few words, made of what :func:`error_attributes` tells."""
    facts = []
    if isinstance(error, ProviderError):
        facts = [f"HTTP {error.status}"] if error.status is not None else []
        facts += [f"code {error.code}"] if error.code else []
    elif isinstance(error, CallRefused):
        facts = [error.reason]
    return type(error).__name__ + (f" [{', '.join(facts)}]" if facts else "")
