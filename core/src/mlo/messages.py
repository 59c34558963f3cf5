"""What is said: messages, their parts, tools and tool calls.

All values are frozen: a request can be sent to several targets at once and be replayed by a retry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

__all__ = [
    "FileRef",
    "Image",
    "Message",
    "Part",
    "Role",
    "Text",
    "ToolCall",
    "ToolChoice",
    "ToolDef",
]


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@frozen
class Text:
    """A piece of text inside a message."""

    text: str


@frozen(kw_only=True)
class Image:
    """A picture, given either as bytes or as a URL (exactly one of the two).

    Raises:
        ValueError: when both or neither of ``data`` and ``url`` are given.
    """

    data: bytes | None = field(default=None, repr=lambda data: "None" if data is None else f"<{len(data)} bytes>")
    url: str | None = None
    media_type: str = "image/png"
    detail: Literal["auto", "low", "high"] = "auto"

    def __attrs_post_init__(self) -> None:
        if (self.data is None) == (self.url is None):
            msg = "an Image needs exactly one of `data` (bytes) and `url`"
            raise ValueError(msg)


@frozen(kw_only=True)
class FileRef:
    """A file that was uploaded to a provider earlier; ``id`` is the provider's own."""

    id: str
    media_type: str | None = None


Part: TypeAlias = Text | Image | FileRef


@frozen(kw_only=True)
class ToolDef:
    """A function that the model may ask for. ``parameters`` is a JSON Schema of type ``object``."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None


@frozen(kw_only=True)
class ToolCall:
    """The model's wish to have a tool run. ``arguments`` is JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str = "{}"

    def parsed(self) -> dict[str, Any]:
        """The arguments as an object.

        Raises:
            ValueError: when the model wrote something that is not a JSON object.
        """
        value = json.loads(self.arguments or "{}")
        if not isinstance(value, dict):
            msg = f"arguments of tool call {self.id} to {self.name!r} are not a JSON object: {self.arguments[:80]!r}"
            raise ValueError(msg)  # noqa: TRY004 - the text is wrong, not a Python type
        return value


@frozen(kw_only=True)
class ToolChoice:
    """Which tool the model has to call: its choice, none, any one, or the one that is named.

    Raises:
        ValueError: when a name is given without ``mode="named"`` or the other way round.
    """

    mode: Literal["auto", "none", "required", "named"] = "auto"
    name: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.mode == "named") != (self.name is not None):
            msg = f'ToolChoice(mode={self.mode!r}, name={self.name!r}): a name goes with mode "named", and only with it'
            raise ValueError(msg)


def _calls(calls: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    return tuple(calls)


def _as_content(content: str | tuple[Part, ...] | list[Part]) -> str | tuple[Part, ...]:
    return tuple(content) if isinstance(content, list) else content


@frozen(kw_only=True)
class Message:
    """One turn of a conversation.

    ``content`` is plain text or a sequence of parts. ``tool_calls`` stand on an assistant's message;
    ``tool_call_id`` and ``name`` on the tool's message that answers one of them.
    """

    role: Role = field(converter=Role)
    content: str | tuple[Part, ...] = field(default="", converter=_as_content)
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = field(default=(), converter=_calls)
    tool_call_id: str | None = None
    reasoning: str | None = None

    @classmethod
    def system(cls, content: str) -> Message:
        """Instructions that stand above the conversation."""
        return cls(role=Role.SYSTEM, content=content)

    @classmethod
    def user(cls, content: str | tuple[Part, ...] | list[Part]) -> Message:
        """What the person says."""
        return cls(role=Role.USER, content=content)

    @classmethod
    def assistant(cls, content: str = "", *, tool_calls: tuple[ToolCall, ...] = ()) -> Message:
        """What the model said earlier."""
        return cls(role=Role.ASSISTANT, content=content, tool_calls=tool_calls)

    @classmethod
    def tool(cls, call: ToolCall, content: str) -> Message:
        """The result of ``call``."""
        return cls(role=Role.TOOL, content=content, tool_call_id=call.id, name=call.name)

    @property
    def text(self) -> str:
        """All text of the message, parts joined without a separator."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts; plain text is one part, empty text is none."""
        if isinstance(self.content, str):
            return (Text(self.content),) if self.content else ()
        return self.content
