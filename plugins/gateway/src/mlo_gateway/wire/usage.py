"""Token counts in the words of each endpoint; what is unknown is left out, never 0."""

from __future__ import annotations

from mlo.responses import Usage

from .fields import Json

__all__ = ["chat_usage", "response_usage", "tokens_of"]


def chat_usage(usage: Usage) -> Json | None:
    """The counts of a chat completion; ``None`` while the main two are not known."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None or completion is None:
        return None
    found: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion if usage.total_tokens is None else usage.total_tokens,
    }
    if usage.cached_tokens is not None:
        found["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return found


def response_usage(usage: Usage) -> Json | None:
    """The counts of a response; ``None`` while the main two are not known."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None or completion is None:
        return None
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens or 0, "cache_write_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": prompt + completion if usage.total_tokens is None else usage.total_tokens,
    }


def tokens_of(usage: Usage) -> int | None:
    """All tokens of a call; ``None`` when they are not known."""
    if usage.total_tokens is not None:
        return usage.total_tokens
    if usage.prompt_tokens is None:
        return None
    return usage.prompt_tokens + (usage.completion_tokens or 0)
