"""Counting what cannot be counted exactly: tokens by the length and the script of a text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Literal

from mlo.messages import Message, Text
from mlo.models import Price
from mlo.requests import ChatRequest
from mlo.routing import Request

__all__ = ["TextShape", "cost_bound", "prompt_hash", "shape_of", "tokens_of"]

_SAMPLE = 1_024
_OF_ONE = 256
_CYRILLIC_LETTER = re.compile("[\u0400-\u052f]")
_LATIN_LETTER = re.compile("[A-Za-z\u00c0-\u024f]")
_OTHER_LETTER = re.compile("[^\\W\\d_A-Za-z\u00c0-\u024f\u0400-\u052f]")
_PER_MESSAGE = 4
# characters per token, lower than what vendors' tokenizers reach on prose: rather a token too many
_CYRILLIC, _LATIN, _OTHER = 3.0, 3.5, 1.5


class TextShape:
    """How long a prompt is, and in which script, without the prompt itself."""

    __slots__ = ("characters", "cyrillic", "latin", "messages")

    def __init__(self, characters: int, cyrillic: float, latin: float, messages: int) -> None:
        self.characters, self.cyrillic, self.latin, self.messages = characters, cyrillic, latin, messages

    @property
    def tokens(self) -> int:
        """About how many tokens that is."""
        return tokens_of(self.characters, self.cyrillic, self.latin) + _PER_MESSAGE * self.messages

    @property
    def language(self) -> Literal["ru", "en", "mixed", "other"]:
        """By script alone: Cyrillic counts as Russian, Latin as English."""
        if max(self.cyrillic, self.latin) >= 0.8:
            return "ru" if self.cyrillic > self.latin else "en"
        return "mixed" if self.cyrillic + self.latin >= 0.8 else "other"


def tokens_of(characters: int, cyrillic: float, latin: float) -> int:
    """About how many tokens a text has; ``cyrillic`` and ``latin`` are the shares of its letters, 0 to 1."""
    other = max(0.0, 1.0 - cyrillic - latin)
    per_character = cyrillic / _CYRILLIC + latin / _LATIN + other / _OTHER
    return int(characters * per_character + 0.999999)


def shape_of(request: Request) -> TextShape:
    """The shape of all texts of a request; the scripts are told from the beginnings of the first ones."""
    characters = cyrillic = latin = other = count = 0
    left = _SAMPLE
    for text in _texts(request):
        count += 1
        characters += len(text)
        if left <= 0:
            continue
        sample = text[: min(left, _OF_ONE)]
        left -= len(sample)
        if sample.isascii():
            latin += len(sample)
        else:
            cyrillic += len(_CYRILLIC_LETTER.findall(sample))
            latin += len(_LATIN_LETTER.findall(sample))
            other += len(_OTHER_LETTER.findall(sample))
    seen = cyrillic + latin + other
    if not seen:
        return TextShape(characters, 0.0, 1.0, count)
    return TextShape(characters, cyrillic / seen, latin / seen, count)


def prompt_hash(request: Request, key: bytes) -> str:
    """The same for the same texts in the same order, and of no use without ``key`` to somebody who guesses them."""
    digest = blake2b(key=key[:64], digest_size=16)
    for text in _texts(request):
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def cost_bound(price: Price, prompt: int, completion: int) -> int:
    """At most what a call costs, in nano-units, if it has at most so many tokens."""
    dearest_in = max(price.prompt, price.cached or 0, price.tool or 0)
    dearest_out = max(price.completion, price.reasoning or 0)
    return (prompt * dearest_in + completion * dearest_out + 999_999) // 1_000_000 + price.request


def _texts(request: Request) -> Iterator[str]:
    if not isinstance(request, ChatRequest):
        yield from getattr(request, "texts", ())
        return
    for message in request.messages:
        yield from _of_message(message)
    for tool in request.tools:
        yield tool.name + tool.description + str(dict(tool.parameters))


def _of_message(message: Message) -> Iterable[str]:
    content = message.content
    if isinstance(content, str):
        yield content
    else:
        yield from (part.text for part in content if isinstance(part, Text))
    yield from (call.arguments for call in message.tool_calls)
