"""What comes back: answers, usage, embeddings, health."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from attrs import evolve, field, frozen

from .messages import Message, ToolCall
from .models import Money, Price

if TYPE_CHECKING:
    from .routing import Outcome

__all__ = ["CallInfo", "ChatResponse", "Embeddings", "FinishReason", "Health", "Usage"]


class FinishReason(StrEnum):
    """Why the model stopped. ``CONTENT_FILTER`` is a refusal, not an answer."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    OTHER = "other"


@frozen(kw_only=True)
class Usage:
    """Token counts of one call. ``None`` means unknown, which is not zero.

    ``prompt_tokens`` includes the ``cached_tokens`` and the ``tool_tokens`` among them; ``completion_tokens`` includes
    ``reasoning_tokens`` (the convention of OpenAI's API, which plugins translate to).
    ``source`` tells numbers reported by the vendor from numbers estimated on this side.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    tool_tokens: int | None = None
    total_tokens: int | None = None
    cost: Money | None = None
    source: Literal["vendor", "estimated"] = "vendor"

    def priced(self, price: Price) -> Usage:
        """The same with its cost at ``price``: unknown as long as a count of the two main kinds is."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return evolve(self, cost=None)
        cached, tool, reasoning = self.cached_tokens or 0, self.tool_tokens or 0, self.reasoning_tokens or 0
        cost = price.cost(
            prompt=max(0, self.prompt_tokens - cached - tool),
            completion=max(0, self.completion_tokens - reasoning),
            cached=cached,
            tool=tool,
            reasoning=reasoning,
        )
        return evolve(self, cost=cost)


@frozen(kw_only=True)
class CallInfo:
    """How an answer came about: filled in by the kernel.

    ``target`` names who answered, ``attempts`` lists every attempt of the call, the successful one last.
    ``duration`` is in seconds, waiting included.
    """

    call_id: str
    target: str
    route: str
    attempts: tuple[Outcome, ...] = ()
    duration: float = 0.0


@frozen(kw_only=True)
class ChatResponse:
    """A model's answer. ``raw`` is for what a vendor says beyond the common ground (keys are the vendor's)."""

    message: Message
    finish_reason: FinishReason = FinishReason.STOP
    usage: Usage = Usage()
    model: str | None = None
    response_id: str | None = None
    request_id: str | None = None
    raw: Mapping[str, Any] = field(factory=dict, repr=False)
    call: CallInfo | None = None

    @property
    def text(self) -> str:
        """The text of the answer."""
        return self.message.text

    @property
    def characters(self) -> int:
        """How much text the model wrote, thinking and the arguments of tool calls included."""
        return len(self.text) + len(self.message.reasoning or "") + sum(len(call.arguments) for call in self.tool_calls)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model wants to have run."""
        return self.message.tool_calls


@frozen(kw_only=True)
class Embeddings:
    """Vectors in the order of the texts; all of one length."""

    vectors: tuple[tuple[float, ...], ...] = field(repr=lambda vectors: f"<{len(vectors)} vectors>")
    usage: Usage = Usage()
    model: str | None = None
    request_id: str | None = None
    call: CallInfo | None = None


@frozen(kw_only=True)
class Health:
    """What a provider says of itself; ``healthy`` is ``None`` when it cannot be asked.

    ``latency`` is in seconds; ``load`` is 0 for idle and 1 for full.
    """

    healthy: bool | None
    detail: str = ""
    latency: float | None = None
    load: float | None = None
