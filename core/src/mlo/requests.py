"""What is asked for: chat and embedding requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from attrs import field, frozen

from .messages import FileRef, Image, Message, ToolChoice, ToolDef
from .models import Capability

__all__ = [
    "ChatRequest",
    "EmbeddingRequest",
    "JsonObject",
    "JsonSchema",
    "Prompt",
    "ReasoningEffort",
    "RequestFields",
    "ResponseFormat",
    "Sampling",
    "TextFormat",
]

ReasoningEffort: TypeAlias = Literal["off", "low", "medium", "high"]


def _messages(messages: Iterable[Message]) -> tuple[Message, ...]:
    return tuple(messages)


def _tools(tools: Iterable[ToolDef]) -> tuple[ToolDef, ...]:
    return tuple(tools)


def _strings(strings: Iterable[str]) -> tuple[str, ...]:
    if isinstance(strings, str):
        raise TypeError(f"expected several strings, got the one string {strings[:40]!r}: put it into a tuple")
    return tuple(strings)


@frozen
class TextFormat:
    """Free text: the default."""


@frozen
class JsonObject:
    """Some JSON object; its shape is up to the prompt."""


@frozen(kw_only=True)
class JsonSchema:
    """JSON that fits ``schema``. ``name`` is a label that some vendors require."""

    schema: Mapping[str, Any]
    name: str = "answer"
    strict: bool = True


ResponseFormat: TypeAlias = TextFormat | JsonObject | JsonSchema


@frozen(kw_only=True)
class Sampling:
    """How the next token is chosen. ``None`` leaves the choice to the vendor's default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = field(default=(), converter=_strings)
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None


@frozen(kw_only=True)
class ChatRequest:
    """One question to a model.

    ``model`` overrides the model of the target. ``extra`` holds vendor options that go to the wire as they are
    (a provider that cannot send them raises :class:`~mlo.errors.Unsupported`). ``metadata`` is for strategies and
    observers
    (a session for sticky routing, a project for accounting) and never reaches a vendor.
    """

    messages: tuple[Message, ...] = field(converter=_messages)
    model: str | None = None
    tools: tuple[ToolDef, ...] = field(default=(), converter=_tools)
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat = TextFormat()
    sampling: Sampling = Sampling()
    reasoning: ReasoningEffort | None = None
    extra: Mapping[str, Any] = field(factory=dict)
    metadata: Mapping[str, str] = field(factory=dict)

    @classmethod
    def of(cls, prompt: Prompt) -> ChatRequest:
        """A request from what callers have at hand: text, one message, several, or a request (returned as it is)."""
        if isinstance(prompt, ChatRequest):
            return prompt
        if isinstance(prompt, str):
            return cls(messages=(Message.user(prompt),))
        if isinstance(prompt, Message):
            return cls(messages=(prompt,))
        return cls(messages=tuple(prompt))

    def needs(self) -> frozenset[Capability]:
        """The capabilities without which a target cannot serve this request."""
        found = {Capability.CHAT}
        if self.tools:
            found.add(Capability.TOOLS)
        if isinstance(self.response_format, JsonSchema):
            found.add(Capability.JSON_SCHEMA)
        elif isinstance(self.response_format, JsonObject):
            found.add(Capability.JSON_OBJECT)
        for message in self.messages:
            if isinstance(message.content, str):
                continue
            for part in message.content:
                if isinstance(part, Image):
                    found.add(Capability.VISION)
                elif isinstance(part, FileRef):
                    found.add(Capability.FILES)
        return frozenset(found) if len(found) > 1 else _CHAT_ONLY


_CHAT_ONLY = frozenset({Capability.CHAT})
Prompt: TypeAlias = str | Message | Iterable[Message] | ChatRequest


class RequestFields(TypedDict, total=False):
    """Fields of :class:`ChatRequest` that may be given beside the prompt.

    They override those of a request that is given as the prompt.
    """

    tools: Iterable[ToolDef]
    tool_choice: ToolChoice | None
    response_format: ResponseFormat
    sampling: Sampling
    reasoning: ReasoningEffort | None
    extra: Mapping[str, Any]
    metadata: Mapping[str, str]


@frozen(kw_only=True)
class EmbeddingRequest:
    """Texts to turn into vectors. ``kind`` matters to vendors with separate models for documents and for queries."""

    texts: tuple[str, ...] = field(converter=_strings)
    model: str | None = None
    dimensions: int | None = None
    kind: Literal["document", "query"] = "document"
    extra: Mapping[str, Any] = field(factory=dict)
    metadata: Mapping[str, str] = field(factory=dict)
