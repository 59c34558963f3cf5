"""A conversation as the emulated model sees it, the same for v1 and v2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from .catalogue import Model
from .tokens import count_tokens

__all__ = ["Function", "Prompt", "Turn"]


@frozen(kw_only=True)
class Turn:
    """One message. ``role`` is v1's: system, user, assistant or function."""

    role: str
    text: str = ""
    name: str | None = None
    call: Mapping[str, Any] | None = None
    files: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens of the message, with a few for its frame."""
        return count_tokens(self.text) + (count_tokens(str(self.call)) if self.call else 0) + 4


@frozen(kw_only=True)
class Function:
    """A function that the model may call."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any]


@frozen(kw_only=True)
class Prompt:
    """Everything that an answer depends on. ``choice`` is auto, none, or the name of a function to call."""

    model: Model
    turns: tuple[Turn, ...]
    functions: tuple[Function, ...] = ()
    builtins: frozenset[str] = frozenset()
    choice: str = "auto"
    schema: Mapping[str, Any] | None = None
    max_tokens: int | None = None
    reasoning: bool = False
    stream: bool = False

    @property
    def last_user_text(self) -> str:
        """What the person said last."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    @property
    def tokens(self) -> int:
        """Tokens of the whole prompt, functions included."""
        return sum(turn.tokens for turn in self.turns) + sum(
            count_tokens(f"{function.name} {function.description} {function.parameters}") for function in self.functions
        )
