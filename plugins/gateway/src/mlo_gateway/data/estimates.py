"""How many tokens a request may use, before anybody knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mlo.messages import Text
from mlo.requests import ChatRequest

__all__ = ["DEFAULT_ANSWER", "chat_tokens", "text_tokens"]

DEFAULT_ANSWER = 512
"""Tokens of an answer to which the request sets no limit."""

_CHARACTERS_PER_TOKEN = 3  # Russian about 2.5 to 3.5, English about 4: limits are corrected afterwards
_PER_MESSAGE = 4
_PER_PICTURE = 800


def chat_tokens(request: ChatRequest) -> int:
    """Tokens of a chat request and of the answer that it allows."""
    characters = tokens = 0
    for message in request.messages:
        tokens += _PER_MESSAGE
        if isinstance(message.content, str):
            characters += len(message.content)
            continue
        for part in message.content:
            if isinstance(part, Text):
                characters += len(part.text)
            else:
                tokens += _PER_PICTURE
    return tokens + characters // _CHARACTERS_PER_TOKEN + (request.sampling.max_tokens or DEFAULT_ANSWER)


def text_tokens(texts: Iterable[str]) -> int:
    """Tokens of texts to embed."""
    return sum(1 + len(text) // _CHARACTERS_PER_TOKEN for text in texts)
