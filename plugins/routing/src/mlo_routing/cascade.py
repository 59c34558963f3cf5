"""The strategy that tries a stronger model when the answer of a cheaper one will not do."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence

from mlo.requests import ChatRequest, TextFormat
from mlo.responses import ChatResponse, FinishReason
from mlo.routing import Outcome, Request, Step, Target

from .options import CascadeOptions

__all__ = ["Cascade", "is_good_enough"]

_BEGINNING = 300  # characters in which a refusal shows; later ones are quotations more often than not


class Cascade:
    """Targets in the route's order, usually from cheap to strong; each answer but the last target's must pass.

    A stream is held back until its answer has passed. A target that fails is passed over like one that is refused.
    """

    def __init__(self, options: CascadeOptions | None = None) -> None:
        self._options = options or CascadeOptions()

    def route(self, request: Request, targets: Sequence[Target], /) -> Generator[Step, Sequence[Outcome], None]:
        """All targets once."""
        accept = self._rule(request)
        for target in targets[:-1]:
            yield Step((target,), accept=accept, probability=1.0)
        yield Step((targets[-1],), probability=1.0)

    def _rule(self, request: Request) -> Callable[[ChatResponse], bool] | None:
        if not isinstance(request, ChatRequest):
            return None
        options = self._options
        wants_json = options.json == "always" or (
            options.json == "auto" and not isinstance(request.response_format, TextFormat)
        )
        return lambda response: is_good_enough(response, options, wants_json=wants_json)


def is_good_enough(response: ChatResponse, options: CascadeOptions, *, wants_json: bool) -> bool:
    """Whether an answer passes. A tool call is an answer of its own: it needs no text."""
    if response.finish_reason is FinishReason.CONTENT_FILTER and not options.filtered:
        return False
    if response.finish_reason is FinishReason.LENGTH and not options.truncated:
        return False
    if response.tool_calls:
        return True
    text = response.text.strip()
    return len(text) >= options.min_length and not _refuses(text, options) and (not wants_json or _is_json(text))


def _refuses(text: str, options: CascadeOptions) -> bool:
    beginning = text[:_BEGINNING].casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return any(phrase.casefold() in beginning for phrase in options.refusals)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
