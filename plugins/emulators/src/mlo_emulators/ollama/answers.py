"""What the emulated models say: deterministic, and dependent on the request as a real answer would be.

Text is an echo of the last message. With tools, the model calls those that the last user message names, or else the
first one; after a tool's result it answers with the result. A JSON Schema is met. Token counts come from a made-up
tokenizer: pieces of at most four letters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import sqrt
from typing import Any

from attrs import frozen

from mlo_emulators.schema_values import json_object, value_for

__all__ = ["Answer", "Prompt", "answer_to", "cut_to", "embedding_of", "tokens_of"]

_TOKEN = re.compile(r"\s?\w{1,4}|\s?[^\w\s]|\s")
_PER_MESSAGE = 3


def tokens_of(text: str) -> tuple[str, ...]:
    """The pieces of a text; they add up to it."""
    return tuple(_TOKEN.findall(text))


@frozen(kw_only=True)
class Prompt:
    """What the model reads: the last text, the results of tools after it, and how long everything is."""

    said: str
    results: tuple[str, ...] = ()
    tokens: int = 0

    @classmethod
    def of(cls, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> Prompt:
        """The prompt that messages and tools make."""
        said = next((str(m.get("content") or "") for m in reversed(messages) if m.get("role") == "user"), "")
        results: list[str] = []
        for message in reversed(messages):
            if message.get("role") != "tool":
                break
            results.insert(0, str(message.get("content") or ""))
        total = sum(_PER_MESSAGE + len(tokens_of(_text_of(message))) for message in messages)
        total += len(tokens_of(json.dumps(list(tools), ensure_ascii=False))) if tools else 0
        return cls(said=said, results=tuple(results), tokens=total)


def _text_of(message: Mapping[str, Any]) -> str:
    calls = message.get("tool_calls")
    return str(message.get("content") or "") + (json.dumps(calls, ensure_ascii=False) if calls else "")


def cut_to(prompt: Prompt, tokens: int) -> Prompt:
    """The prompt as it is after the server has cut its front off."""
    return Prompt(said="".join(tokens_of(prompt.said)[-tokens:]), results=prompt.results, tokens=tokens)


@frozen(kw_only=True)
class Answer:
    """The pieces of an answer in the order they are sent: thinking, then text, then calls."""

    thinking: tuple[str, ...] = ()
    content: tuple[str, ...] = ()
    calls: tuple[dict[str, Any], ...] = ()
    done_reason: str = "stop"

    @property
    def eval_count(self) -> int:
        """Tokens generated."""
        in_calls = sum(len(tokens_of(json.dumps(call, ensure_ascii=False))) for call in self.calls)
        return len(tokens_of("".join((*self.thinking, *self.content)))) + in_calls


def answer_to(
    prompt: Prompt,
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    form: Any = None,
    think: bool = False,
    limit: int | None = None,
    stop: Sequence[str] = (),
    chunk_chars: int = 0,
    fixed: str | None = None,
) -> Answer:
    """The answer of a model; ``limit`` is how many tokens it may generate."""
    thinking = tokens_of(f"Думаю над: {prompt.said[:40]}") if think else ()
    calls = () if prompt.results else _calls(tools, prompt.said)
    if calls:
        return Answer(thinking=thinking, calls=calls)
    text = _before(_text(prompt, form, fixed), stop)
    pieces = tokens_of(text)
    allowed = len(pieces) if limit is None else max(0, limit - len(thinking))
    return Answer(
        thinking=thinking,
        content=_chunks(pieces[:allowed], chunk_chars),
        done_reason="stop" if allowed >= len(pieces) else "length",
    )


def _chunks(pieces: Sequence[str], chars: int) -> tuple[str, ...]:
    if chars <= 0:
        return tuple(pieces)
    text = "".join(pieces)
    return tuple(text[start : start + chars] for start in range(0, len(text), chars))


def _before(text: str, stop: Sequence[str]) -> str:
    found = [text.index(each) for each in stop if each and each in text]
    return text[: min(found)] if found else text


def _text(prompt: Prompt, form: Any, fixed: str | None) -> str:
    said = fixed if fixed is not None else prompt.said
    if isinstance(form, Mapping):
        return json.dumps(value_for(form, word=said[:40] or "text"), ensure_ascii=False)
    if form == "json":
        return json_object(said)
    if fixed is not None:
        return fixed
    if prompt.results:
        return "По данным инструментов: " + "; ".join(prompt.results)
    return f"Эхо: {prompt.said}"


def _calls(tools: Sequence[Mapping[str, Any]], said: str) -> tuple[dict[str, Any], ...]:
    functions = [tool.get("function") or {} for tool in tools]
    named = [each for each in functions if str(each.get("name")) in said] or functions[:1]
    return tuple(
        {"name": each.get("name", ""), "arguments": _arguments(each.get("parameters") or {}, said)} for each in named
    )


def _arguments(parameters: Mapping[str, Any], said: str) -> Any:
    return value_for({"type": "object", **parameters}, word=said[:40] or "text")


def embedding_of(text: str, size: int) -> list[float]:
    """A unit vector made from the text's hash: equal texts have equal vectors, others are unrelated."""
    numbers: list[float] = []
    block = 0
    while len(numbers) < size:
        digest = sha256(f"{block}:{text}".encode()).digest()
        numbers.extend(byte / 127.5 - 1.0 for byte in digest)
        block += 1
    length = sqrt(sum(number * number for number in numbers[:size])) or 1.0
    return [number / length for number in numbers[:size]]
