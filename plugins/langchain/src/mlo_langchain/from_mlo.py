"""Answers and events of the kernel as LangChain's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCall as LangChainToolCall
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from mlo.events import Event, ReasoningDelta, TextDelta, ToolCallDelta
from mlo.responses import CallInfo, ChatResponse, Usage
from mlo.routing import Outcome

__all__ = ["PROVIDER", "chunk_of", "last_chunk", "metadata_of", "result_of", "usage_of"]

PROVIDER = "multi-llm-orchestrator"
"""What traces and messages call the provider; who answered stands in ``response_metadata["target"]``."""


def result_of(response: ChatResponse) -> ChatResult:
    """A whole answer."""
    calls, broken = _calls(response)
    message = AIMessage(
        content=response.text,
        tool_calls=calls,
        invalid_tool_calls=broken,
        usage_metadata=usage_of(response.usage),
        response_metadata=metadata_of(response),
        additional_kwargs=_thoughts(response.message.reasoning),
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _calls(response: ChatResponse) -> tuple[list[LangChainToolCall], list[InvalidToolCall]]:
    good, broken = [], []
    for call in response.tool_calls:
        try:
            good.append(tool_call(name=call.name, args=call.parsed(), id=call.id))
        except ValueError as error:
            broken.append(invalid_tool_call(name=call.name, args=call.arguments, id=call.id, error=str(error)))
    return good, broken


def _thoughts(reasoning: str | None) -> dict[str, Any]:
    return {"reasoning_content": reasoning} if reasoning else {}


def chunk_of(event: Event) -> ChatGenerationChunk | None:
    """A piece of an answer; ``None`` for what adds nothing that is read."""
    if isinstance(event, TextDelta):
        return ChatGenerationChunk(message=AIMessageChunk(content=event.text)) if event.text else None
    if isinstance(event, ReasoningDelta):
        return ChatGenerationChunk(message=AIMessageChunk(content="", additional_kwargs=_thoughts(event.text)))
    if isinstance(event, ToolCallDelta):
        piece = tool_call_chunk(name=event.name, args=event.arguments, id=event.id, index=event.index)
        return ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[piece]))
    return None


def last_chunk(response: ChatResponse) -> ChatGenerationChunk:
    """What is known only at the end. Nothing of it stands in an earlier chunk: LangChain adds chunks up."""
    message = AIMessageChunk(
        content="",
        usage_metadata=usage_of(response.usage),
        response_metadata=metadata_of(response),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message)


def usage_of(usage: Usage) -> UsageMetadata | None:
    """Token counts; ``None`` unless both main ones are known, for LangChain has no way to say "unknown"."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    found = UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens
        if usage.total_tokens is None
        else usage.total_tokens,
    )
    if usage.cached_tokens is not None:
        found["input_token_details"] = InputTokenDetails(cache_read=usage.cached_tokens)
    if usage.reasoning_tokens is not None:
        found["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return found


def metadata_of(response: ChatResponse) -> dict[str, Any]:
    """Who answered, after which attempts, along which route, and at what cost: plain values only."""
    call = response.call
    known = {
        "model_provider": PROVIDER,
        "model_name": response.model or (None if call is None else call.target.partition(":")[2] or call.target),
        "finish_reason": response.finish_reason.value,
        "response_id": response.response_id,
        "request_id": response.request_id,
        "cost": None if response.usage.cost is None else _cost(response.usage),
        "usage_source": None if response.usage.prompt_tokens is None else response.usage.source,
        **({} if call is None else _course(call)),
    }
    return {name: value for name, value in known.items() if value is not None}


def _cost(usage: Usage) -> Mapping[str, Any] | None:
    return None if usage.cost is None else {"nano": usage.cost.nano, "currency": usage.cost.currency}


def _course(call: CallInfo) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "provider": call.target.partition(":")[0],
        "target": call.target,
        "route": call.route,
        "attempts": [_attempt(outcome) for outcome in call.attempts],
        "duration": call.duration,
    }


def _attempt(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error
    told = {} if error is None else {"error": type(error).__name__, "message": str(error)}
    return {"target": outcome.target.name, "latency": outcome.latency, **told}
