"""A conversation: who is asked, what was said, and how it is written down. No I/O but :meth:`Conversation.save`."""

from __future__ import annotations

import json
from pathlib import Path

from attrs import define, field, frozen

from mlo import ChatRequest, Message, Sampling

from .routers import Aim
from .texts import text

__all__ = ["Conversation", "Turn"]


@frozen
class Turn:
    """A question and its answer; an interrupted answer is only the beginning of one."""

    question: str
    answer: str
    interrupted: bool = False


@define(kw_only=True)
class Conversation:
    """What was said so far and how it goes on. Mutable: the reader changes it with slash commands."""

    aim: Aim = Aim()
    system: str | None = None
    sampling: Sampling = Sampling()
    turns: list[Turn] = field(factory=list)
    unanswered: str | None = None
    """The last question, if there was no answer to it."""

    def request(self, question: str) -> ChatRequest:
        """The next request: everything said so far, and ``question``.

        A question that got no answer is not sent again: several vendors refuse two user messages in a row.
        """
        messages = [] if self.system is None else [Message.system(self.system)]
        for turn in self.turns:
            messages += [Message.user(turn.question), Message.assistant(turn.answer)]
        return ChatRequest(messages=[*messages, Message.user(question)], sampling=self.sampling)

    def add(self, question: str, answer: str, *, interrupted: bool = False) -> None:
        """Note an answer; without any text of an interrupted one the question counts as unanswered."""
        if interrupted and not answer:
            self.unanswered = question
            return
        self.turns.append(Turn(question, answer, interrupted))
        self.unanswered = None

    def take_back(self) -> str | None:
        """Forget the last question, answered or not, and return it."""
        if self.unanswered is not None:
            question, self.unanswered = self.unanswered, None
            return question
        return self.turns.pop().question if self.turns else None

    def clear(self) -> None:
        """Forget what was said; who is asked stays."""
        self.turns.clear()
        self.unanswered = None

    def save(self, path: Path) -> None:
        """Write the conversation to a new file: JSON if its name ends so, Markdown otherwise.

        Raises:
            OSError: when the file exists already or cannot be written.
        """
        content = self.as_json() if path.suffix.lower() == ".json" else self.as_markdown()
        with path.open("x", encoding="utf-8") as file:
            file.write(content)

    def as_markdown(self) -> str:
        """A transcript to read."""
        parts = [] if self.system is None else [f"> {self.system}\n"]
        for turn in self.turns:
            mark = f"\n\n*{text('chat.interrupted')}*" if turn.interrupted else ""
            parts.append(f"## {text('chat.question')}\n\n{turn.question}\n")
            parts.append(f"## {text('chat.answer')}\n\n{turn.answer}{mark}\n")
        return "\n".join(parts)

    def as_json(self) -> str:
        """A transcript for programs."""
        turns = [
            {"question": turn.question, "answer": turn.answer, "interrupted": turn.interrupted} for turn in self.turns
        ]
        return json.dumps({"system": self.system, "turns": turns}, ensure_ascii=False, indent=2) + "\n"
