"""The events of a streamed answer, and their sum.

Order on a well-formed stream::

    Started?  (ReasoningDelta | TextDelta | ToolCallDelta | UsageReported)*  Finished

``Finished`` is required: a source that ends without it was cut. Consumers must ignore kinds they do not know.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any, TypeAlias

from attrs import define, field, frozen

from .messages import Message, Role, ToolCall
from .responses import ChatResponse, FinishReason, Usage

__all__ = [
    "Event",
    "Finished",
    "Fold",
    "ReasoningDelta",
    "Started",
    "TextDelta",
    "ToolCallDelta",
    "UsageReported",
    "events_of",
    "fold",
    "fold_async",
]


@frozen(kw_only=True)
class Started:
    """The vendor accepted the request. Not yet a commitment: nothing that a reader sees has been sent."""

    model: str | None = None
    response_id: str | None = None
    request_id: str | None = None


@frozen
class TextDelta:
    """More text of the answer."""

    text: str


@frozen
class ReasoningDelta:
    """More of the model's thinking, which is not part of the answer."""

    text: str


@frozen(kw_only=True)
class ToolCallDelta:
    """A piece of tool call number ``index``.

    The first piece carries ``id`` and ``name``, later ones more ``arguments``.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@frozen
class UsageReported:
    """Token counts so far: each report replaces the one before."""

    usage: Usage


@frozen
class Finished:
    """The answer is complete. ``raw`` is for what a vendor says beyond the common ground."""

    reason: FinishReason = FinishReason.STOP
    raw: Mapping[str, Any] = field(factory=dict, repr=False)


Event: TypeAlias = Started | TextDelta | ReasoningDelta | ToolCallDelta | UsageReported | Finished


@define
class _CallPieces:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(factory=list)

    def whole(self, index: int) -> ToolCall:
        return ToolCall(id=self.id or f"call_{index}", name=self.name, arguments="".join(self.arguments) or "{}")


class Fold:
    """Adds up events; :meth:`response` is the answer so far, complete or not."""

    __slots__ = ("_calls", "_finished", "_reasoning", "_started", "_text", "_usage")

    def __init__(self) -> None:
        self._started: Started | None = None
        self._finished: Finished | None = None
        self._usage = Usage()
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _CallPieces] = {}

    def add(self, event: Event) -> None:
        """Take one event; unknown kinds are ignored."""
        kind = type(event)
        if kind is TextDelta:
            self._text.append(event.text)  # type: ignore[union-attr]  # an identity test on the type costs a third of isinstance chains
        else:
            self._add_rarer(event)

    def _add_rarer(self, event: Event) -> None:
        match event:
            case ReasoningDelta(text=text):
                self._reasoning.append(text)
            case ToolCallDelta():
                self._add_call(event)
            case UsageReported(usage=usage):
                self._usage = usage
            case Finished():
                self._finished = event
            case Started():
                self._started = event
            case _:
                pass

    def _add_call(self, delta: ToolCallDelta) -> None:
        pieces = self._calls.setdefault(delta.index, _CallPieces())
        pieces.id = pieces.id or (delta.id or "")
        pieces.name = pieces.name or (delta.name or "")
        if delta.arguments:
            pieces.arguments.append(delta.arguments)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def characters(self) -> int:
        """How much text has come, thinking and the arguments of tool calls included."""
        pieces = (piece for call in self._calls.values() for piece in call.arguments)
        return sum(map(len, self._text)) + sum(map(len, self._reasoning)) + sum(map(len, pieces))

    @property
    def usage(self) -> Usage:
        """The newest usage report; unknown counts before any."""
        return self._usage

    @property
    def finished(self) -> bool:
        """Whether the source said that the answer is complete."""
        return self._finished is not None

    def response(self) -> ChatResponse:
        """The sum. Without a ``Finished`` event its ``finish_reason`` is ``OTHER``."""
        started = self._started or Started()
        finished = self._finished or Finished(FinishReason.OTHER)
        message = Message(
            role=Role.ASSISTANT,
            content=self.text,
            tool_calls=tuple(pieces.whole(index) for index, pieces in sorted(self._calls.items())),
            reasoning="".join(self._reasoning) or None,
        )
        return ChatResponse(
            message=message,
            finish_reason=finished.reason,
            usage=self._usage,
            model=started.model,
            response_id=started.response_id,
            request_id=started.request_id,
            raw=finished.raw,
        )


def fold(events: Iterable[Event]) -> ChatResponse:
    """The answer that ``events`` add up to."""
    total = Fold()
    for event in events:
        total.add(event)
    return total.response()


async def fold_async(events: AsyncIterable[Event]) -> ChatResponse:
    """The answer that asynchronous ``events`` add up to; closing the source is up to the caller."""
    total = Fold()
    async for event in events:
        total.add(event)
    return total.response()


def events_of(response: ChatResponse) -> Iterable[Event]:
    """The events of a whole answer, as a provider without a stream of its own would send them."""
    yield Started(model=response.model, response_id=response.response_id, request_id=response.request_id)
    if response.message.reasoning:
        yield ReasoningDelta(response.message.reasoning)
    if response.text:
        yield TextDelta(response.text)
    for index, call in enumerate(response.tool_calls):
        yield ToolCallDelta(index=index, id=call.id, name=call.name, arguments=call.arguments)
    yield UsageReported(response.usage)
    yield Finished(response.finish_reason, response.raw)
