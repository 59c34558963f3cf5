"""How many tokens a request may use, before anybody knows. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from mlo.messages import Text
from mlo.requests import ChatRequest
from mlo_gateway.wire.survey import Survey

__all__ = ["DEFAULT_ANSWER", "chat_tokens", "surveyed_tokens", "text_tokens"]

DEFAULT_ANSWER = 512
"""Tokens of an answer to which the request sets no limit."""

_CHARACTERS_PER_TOKEN = 3  # Russian about 2.5 to 3.5, English about 4: limits are corrected afterwards
_PER_MESSAGE = 4
_PER_ATTACHMENT = 800


def surveyed_tokens(survey: Survey, most: int | None) -> int:
    """Tokens of a chat and of its answer, which may have ``most``."""
    prompt = survey.messages * _PER_MESSAGE + survey.characters // _CHARACTERS_PER_TOKEN
    return prompt + survey.attachments * _PER_ATTACHMENT + (DEFAULT_ANSWER if most is None else most)


def chat_tokens(request: ChatRequest) -> int:
    """Tokens of a chat and of the answer that it allows."""
    parts = [part for message in request.messages for part in message.parts]
    texts = [len(part.text) for part in parts if isinstance(part, Text)]
    survey = Survey(
        messages=len(request.messages),
        characters=sum(texts),
        attachments=len(parts) - len(texts),
        needs=frozenset(),
    )
    return surveyed_tokens(survey, request.sampling.max_tokens)


def text_tokens(texts: Iterable[str]) -> int:
    """Tokens of texts to embed."""
    return sum(1 + len(text) // _CHARACTERS_PER_TOKEN for text in texts)
