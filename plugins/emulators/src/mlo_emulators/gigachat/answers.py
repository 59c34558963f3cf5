"""What the emulated model says: always the same to the same prompt.

In this order: a refusal, the result of a function in words, a function call, JSON that fits the schema, a picture,
and at last a sentence that repeats the question.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from attrs import evolve, frozen

from mlo_emulators.schema_values import value_for

from .options import Options
from .prompt import Function, Prompt
from .tokens import count_tokens, first_tokens

__all__ = ["Answer", "answer", "chunks"]

_REFUSAL = "Не люблю менять тему разговора, но вот сейчас тот самый случай."
_THOUGHTS = "Пользователь спрашивает, значит, надо ответить."
_WORD = re.compile(r"[^\W\d_]{2,}")
_DRAW = re.compile(r"нарису|draw|изобрази", re.IGNORECASE)
_STEM = 5


@frozen(kw_only=True)
class Answer:
    """An answer before it takes the form of v1 or v2. ``call`` is ``{"name", "arguments"}``."""

    text: str = ""
    call: Mapping[str, Any] | None = None
    reasoning: str = ""
    finish: str = "stop"
    draws: bool = False

    @property
    def tokens(self) -> int:
        """Completion tokens, the thoughts included."""
        call = json.dumps(self.call, ensure_ascii=False) if self.call else ""
        return count_tokens(self.text) + count_tokens(call) + count_tokens(self.reasoning)


def answer(prompt: Prompt, options: Options) -> Answer:
    """The answer to ``prompt``."""
    text = prompt.last_user_text
    if options.blacklist_word and options.blacklist_word in text.lower():
        return Answer(text=_REFUSAL, finish="blacklist")
    if (called := _called(prompt)) is not None:
        arguments = value_for(called.parameters, word=_subject(text))
        found = Answer(call={"name": called.name, "arguments": arguments}, finish="function_call")
    else:
        found = _shortened(_spoken(prompt, options), prompt.max_tokens)
    return evolve(found, reasoning=_THOUGHTS) if prompt.reasoning else found


@lru_cache(maxsize=8)  # a benchmark asks for the same long text again and again
def chunks(text: str, words: int) -> Sequence[str]:
    """``text`` in pieces of so many words; joined, they are ``text`` again."""
    found = re.findall(r"\s*\S+\s*$|\s*\S+", text) or ([text] if text else [])
    return ["".join(found[start : start + words]) for start in range(0, len(found), max(words, 1))]


def _called(prompt: Prompt) -> Function | None:
    if prompt.choice == "none" or not prompt.functions:
        return None
    if prompt.choice != "auto":
        return next((function for function in prompt.functions if function.name == prompt.choice), None)
    if prompt.turns and prompt.turns[-1].role == "function":
        return None
    stems = _stems(prompt.last_user_text)
    return next(
        (f for f in prompt.functions if stems & _stems(f"{f.name} {f.description}".replace("_", " "))),
        None,
    )


def _stems(text: str) -> set[str]:
    return {word[:_STEM].lower() for word in _WORD.findall(text) if len(word) >= _STEM - 1}


def _subject(text: str) -> str:
    """The word that a question seems to be about: the last one with a capital letter, or simply the last one."""
    words: list[str] = _WORD.findall(text)
    named = [word for word in words[1:] if word[0].isupper()]
    return (named or words or ["пример"])[-1]


def _spoken(prompt: Prompt, options: Options) -> Answer:
    last = prompt.turns[-1]
    if options.answer is not None:
        return Answer(text=options.answer)
    if options.answer_words:
        return Answer(text=" ".join(f"слово{number}" for number in range(1, options.answer_words + 1)))
    if prompt.schema is not None:
        value = value_for(prompt.schema, word=_subject(prompt.last_user_text))
        return Answer(text=json.dumps(value, ensure_ascii=False))
    if last.role == "function":
        return Answer(text=f"Функция {last.name or ''} вернула: {last.text}".replace("  ", " "))
    if "text2image" in prompt.builtins and _DRAW.search(prompt.last_user_text):
        return Answer(text="", draws=True)
    files = f" Файлов: {len(last.files)}." if last.files else ""
    system = next((f"Помню указание: {turn.text}. " for turn in prompt.turns if turn.role == "system"), "")
    return Answer(text=f"{system}Вы написали: «{prompt.last_user_text}».{files} Отвечает {prompt.model.id}.")


def _shortened(found: Answer, limit: int | None) -> Answer:
    if limit is None or found.tokens <= limit:
        return found
    return evolve(found, text=first_tokens(found.text, limit), finish="length")
