"""What is asked for: chat and embedding requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, TypedDict

from attrs import evolve, field, fields, frozen

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

    @staticmethod
    def deferred(
        build: Callable[[], ChatRequest],
        *,
        needs: frozenset[Capability],
        model: str | None = None,
        sampling: Sampling | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> ChatRequest:
        """A request of which only these parts are there; ``build`` makes the rest when somebody first asks for it.

        For programs that may need no more of it, such as a gateway whose target takes the client's own bytes. An error
        of ``build`` is raised to who asked.
        """
        request = _Deferred.__new__(_Deferred)
        put = object.__setattr__
        put(request, "_build", build)
        put(request, "_needs", needs)
        put(request, "model", model)
        put(request, "sampling", _NO_SAMPLING if sampling is None else sampling)
        put(request, "metadata", {} if metadata is None else metadata)
        return request

    def for_model(self, model: str) -> ChatRequest:
        """The same for that model; what is deferred stays so."""
        return evolve(self, model=model)

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


class _Deferred(ChatRequest):
    """A request whose slots are filled on demand. What is derived from it (``attrs.evolve``) is whole."""

    __slots__ = ("_build", "_needs")
    _build: Callable[[], ChatRequest]
    _needs: frozenset[Capability]

    def __getattr__(self, name: str) -> Any:
        """Called by Python for a slot that is empty still."""
        if name not in _FIELDS:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        whole = self._build()
        for field_name in _LATE:
            object.__setattr__(self, field_name, getattr(whole, field_name))
        return getattr(self, name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChatRequest):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    __hash__ = ChatRequest.__hash__

    def for_model(self, model: str) -> ChatRequest:
        """The same for that model; what is deferred stays so."""
        build: Callable[[], ChatRequest] | None = getattr(self, "_build", None)
        if build is None:
            return super().for_model(model)
        return self.deferred(build, needs=self._needs, model=model, sampling=self.sampling, metadata=self.metadata)

    def needs(self) -> frozenset[Capability]:
        """The capabilities that whoever deferred it has named, and those of what was put in later."""
        known: frozenset[Capability] | None = getattr(self, "_needs", None)
        return super().needs() if known is None else known


_FIELDS = frozenset(attribute.name for attribute in fields(ChatRequest))
_NO_SAMPLING = Sampling()
_LATE = _FIELDS - {"model", "sampling", "metadata"}
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
