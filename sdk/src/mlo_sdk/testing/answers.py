"""What every answer has to look like, as checks on values: no provider and no event loop in sight."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from mlo import errors
from mlo.events import Event, Finished, ReasoningDelta, Started, TextDelta, ToolCallDelta, UsageReported
from mlo.messages import Role, ToolCall, ToolDef
from mlo.models import Money
from mlo.requests import EmbeddingRequest, JsonSchema
from mlo.responses import ChatResponse, Embeddings, FinishReason, Usage

from .demands import demand, fail

__all__ = [
    "CITY_SCHEMA",
    "WEATHER_TOOL",
    "check_embeddings",
    "check_error",
    "check_events",
    "check_object",
    "check_parser",
    "check_response",
    "check_tool_call",
    "check_usage",
]

WEATHER_TOOL = ToolDef(
    name="get_weather",
    description="Погода в городе на ближайшие дни",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
)
CITY_SCHEMA = JsonSchema(
    name="city",
    schema={
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "population": {"type": "integer"},
            "capital": {"type": "boolean"},
            "rivers": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "population", "capital", "rivers"],
        "additionalProperties": False,
    },
)
_EVENT_TYPES = (Started, TextDelta, ReasoningDelta, ToolCallDelta, UsageReported, Finished)
_JSON_TYPES: Mapping[str, type | tuple[type, ...]] = {"string": str, "integer": int, "boolean": bool, "array": list}
_KERNELS_OWN = (errors.AnswerRejected, errors.StreamInterrupted)
_CHUNK_SIZES = (1, 2, 3, 7, 64)


def check_response(response: object) -> None:
    """A whole answer: an assistant's message that says or asks for something, an honest usage, nothing of the kernel's.

    Raises:
        ContractBroken: when something is amiss.
    """
    if not isinstance(response, ChatResponse):
        fail(f"generate() must return a ChatResponse, not {type(response).__name__}")
    demand(response.message.role is Role.ASSISTANT, f"an answer is the assistant's, not the {response.message.role}'s")
    demand(isinstance(response.finish_reason, FinishReason), "map the vendor's finish reason to a FinishReason")
    demand(response.call is None, "leave ChatResponse.call to the kernel")
    demand(
        response.text or response.tool_calls or response.finish_reason is not FinishReason.STOP,
        "the answer has neither text nor tool calls, but finished with STOP",
    )
    check_usage(response.usage)


def check_usage(usage: Any) -> None:
    """Token counts that can be true: unknown is ``None``, parts do not exceed the whole.

    Raises:
        ContractBroken: when something is amiss.
    """
    demand(isinstance(usage, Usage), f"usage is {usage!r}, not a Usage")
    counts = {
        name: getattr(usage, name)
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "total_tokens")
    }
    for name, count in counts.items():
        demand(count is None or (type(count) is int and count >= 0), f"Usage.{name} is {count!r}: a count, or None")
    _at_most("cached_tokens", usage.cached_tokens, "prompt_tokens", usage.prompt_tokens)
    _at_most("reasoning_tokens", usage.reasoning_tokens, "completion_tokens", usage.completion_tokens)
    if usage.prompt_tokens is not None and usage.completion_tokens is not None:
        _at_most("the sum", usage.prompt_tokens + usage.completion_tokens, "total_tokens", usage.total_tokens)
    demand(usage.source in {"vendor", "estimated"}, f"Usage.source is {usage.source!r}")
    demand(
        usage.cost is None or (isinstance(usage.cost, Money) and usage.cost.nano >= 0), f"Usage.cost is {usage.cost!r}"
    )


def _at_most(part: str, count: int | None, whole: str, limit: int | None) -> None:
    if count is not None and limit is not None:
        demand(count <= limit, f"Usage: {part} ({count}) exceeds {whole} ({limit}), which includes it")


def check_events(events: Sequence[object]) -> None:
    """A well-formed stream: ``Started?`` first, ``Finished`` last and once, tool calls introduced before continued.

    Raises:
        ContractBroken: when something is amiss.
    """
    strange = sorted({type(event).__name__ for event in events if not isinstance(event, _EVENT_TYPES)})
    demand(not strange, f"generate_stream() yields {', '.join(strange)}: only events of mlo.events")
    demand(
        events and isinstance(events[-1], Finished),
        "the stream ended without a Finished event: a cut body must raise TransportFailed, a whole one must say so",
    )
    demand(sum(isinstance(event, Finished) for event in events) == 1, "Finished must come exactly once")
    started = [place for place, event in enumerate(events) if isinstance(event, Started)]
    demand(started in ([], [0]), f"Started must come first and at most once, not at {started}")
    named: set[int] = set()
    for event in events:
        _check_delta(event, named)


def _check_delta(event: object, named: set[int]) -> None:
    match event:
        case TextDelta(text=text) | ReasoningDelta(text=text):
            demand(text, f"{type(event).__name__} without text: leave such chunks out")
        case ToolCallDelta(index=index) if index not in named:
            demand(event.id and event.name, f"the first piece of tool call {index} must carry its id and name")
            named.add(index)
        case UsageReported(usage=usage):
            check_usage(usage)
        case _:
            pass


def check_error(error: BaseException) -> None:
    """An error that the kernel can act on: a leaf of ``ProviderError``, and one that providers may raise.

    Raises:
        ContractBroken: when something is amiss.
    """
    kind = type(error).__name__
    demand(isinstance(error, errors.ProviderError), f"{kind} came out: map it to a leaf of ProviderError, chained")
    demand(type(error) is not errors.ProviderError, "ProviderError itself came out: choose a leaf of it")
    demand(not isinstance(error, _KERNELS_OWN), f"{kind} is the kernel's to raise; a cut stream is TransportFailed")
    demand(str(error).strip(), f"{kind} has no message: say what happened and what to do")


def check_tool_call(calls: Sequence[ToolCall], tool: ToolDef) -> None:
    """The call that was forced: of ``tool``, with an id, and with arguments that fit its parameters.

    Raises:
        ContractBroken: when something is amiss.
    """
    demand(calls, f"tool_choice forced {tool.name!r}, but no tool call arrived")
    call = calls[0]
    demand(call.name == tool.name, f"tool_choice forced {tool.name!r}, but {call.name!r} was called")
    demand(call.id, "a tool call needs an id: make one where the vendor gives none")
    check_object(call.arguments, tool.parameters, f"the arguments of {tool.name!r}")


def check_object(text: str, schema: Mapping[str, Any], what: str) -> None:
    """JSON text of an object with the properties that a flat ``schema`` requires, of their types.

    Raises:
        ContractBroken: when something is amiss.
    """
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    demand(isinstance(value, dict), f"{what}: not a JSON object: {text[:80]!r}")
    for name in schema.get("required", ()):
        demand(name in value, f"{what}: the required property {name!r} is missing in {text[:80]!r}")
    for name, expected in schema.get("properties", {}).items():
        kind = _JSON_TYPES[expected["type"]]
        known = name not in value or (isinstance(value[name], kind) and (kind is bool or value[name] is not True))
        demand(known, f"{what}: {name!r} is not of type {expected['type']} in {text[:80]!r}")


def check_embeddings(embeddings: Embeddings, request: EmbeddingRequest) -> None:
    """One finite vector per text, all of one length (the one asked for, if any).

    Raises:
        ContractBroken: when something is amiss.
    """
    vectors = embeddings.vectors
    demand(len(vectors) == len(request.texts), f"{len(request.texts)} texts went in, {len(vectors)} vectors came out")
    lengths = {len(vector) for vector in vectors}
    demand(
        len(lengths) == 1 and 0 not in lengths, f"vectors of one call have one length above 0, not {sorted(lengths)}"
    )
    demand(
        request.dimensions is None or lengths == {request.dimensions},
        f"{request.dimensions} dimensions were asked for, {sorted(lengths)} came",
    )
    demand(all(math.isfinite(number) for vector in vectors for number in vector), "a vector holds inf or nan")
    check_usage(embeddings.usage)


def check_parser(parse: Callable[[Iterable[bytes]], Sequence[Event]], sample: bytes) -> None:
    """A stream parser that does not care how the network cuts the body, and does not take a cut body for a whole one.

    Raises:
        ContractBroken: when something is amiss.
    """
    whole = list(parse([sample]))
    check_events(whole)
    for size in _CHUNK_SIZES:
        chunks = [sample[start : start + size] for start in range(0, len(sample), size)]
        demand(list(parse(chunks)) == whole, f"cut into chunks of {size} bytes, the sample gives other events")
    rng = Random(len(sample))  # noqa: S311 - places to cut, the same in every run
    for _ in range(20):
        cuts = sorted(rng.sample(range(len(sample) + 1), min(4, len(sample))))
        chunks = [sample[start:end] for start, end in zip([0, *cuts], [*cuts, len(sample)], strict=True)]
        demand(list(parse(chunks)) == whole, f"cut at {cuts}, the sample gives other events")
    _check_cut(parse, sample)


def _check_cut(parse: Callable[[Iterable[bytes]], Sequence[Event]], sample: bytes) -> None:
    try:
        events = list(parse([sample[: len(sample) // 2]]))
    except errors.ProviderError as error:
        check_error(error)
        return
    demand(
        not any(isinstance(event, Finished) for event in events),
        "half of the sample gives a Finished event: a cut body would pass for a whole answer",
    )
